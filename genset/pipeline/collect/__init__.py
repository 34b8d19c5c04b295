"""First stage: find the items in folders, files, tables, containers and versions."""
