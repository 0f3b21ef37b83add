"""Where photos come from: the challenge's layout, in a folder or a bucket, and what else lies there."""
