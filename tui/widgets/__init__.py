"""What screens are made of. Outside text reaches a terminal only through ``tui.widgets.text``."""
