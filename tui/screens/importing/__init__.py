"""Import: look into files and folders, settle how they are read, and bring them in."""
