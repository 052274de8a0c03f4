"""Where the index's facts come from: the chain, validators' contents, providers' offers."""
