"""Around the workbench's event loop: the terminal, keys in their order, work beside the loop, defects, leaving."""
