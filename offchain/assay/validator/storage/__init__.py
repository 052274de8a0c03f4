"""What a validator keeps."""
