"""The files of an evidence folder that check it: they import nothing of this project."""
