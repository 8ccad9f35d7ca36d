"""Between machines: a workspace as one file, made anew from it elsewhere, and what came of it brought back."""
