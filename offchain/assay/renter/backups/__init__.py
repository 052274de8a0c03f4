"""A lease's files outside its provider: where they are kept, with which key, and put back."""
