"""The tables that stages write for each other, and those that people made: their columns, how cells are written and read back.

stage_tables reads what stages wrote, pair_csv writes the large ones fast, catalog orders the rows of the catalog, and cells keeps
a text from being computed by a spreadsheet. user_tables and by_idx read what people made, of which nothing is trusted.
"""
