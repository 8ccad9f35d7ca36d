"""The serving run: the twin over loopback in OpenAI's form, behind a token, for any client."""
