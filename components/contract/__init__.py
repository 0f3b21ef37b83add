"""What crosses a stage boundary: names, artifacts and how they are verified, tables, photos, shards, and words for people."""
