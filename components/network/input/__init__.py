"""From records to what the network sees: images decoded once, kept within a memory budget, turned and batched in cliques.

load does it for train and predict; augment and exact_views turn images, image_file keeps those that memory does not hold.
"""
