"""First stage: find the items of folders, files, tables, containers and versions."""
