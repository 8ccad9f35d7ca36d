"""What outside text can hold to harm whoever reads it on a terminal, each with the reason why it is here.

``STORED`` are texts that a database or a file takes; ``SURROGATES`` are none, and have to be refused or replaced.
"""

from __future__ import annotations

from dataclasses import dataclass

FAMILY = "👩‍👩‍👧‍👦"
PERSIAN = "می‌خواهم"
HEBREW = "שלום"
INTACT = f"{FAMILY} {PERSIAN} {HEBREW}"
"""An emoji sequence with joiners, Persian with a non-joiner, Hebrew: to be read as they were written."""
LINE = 10_000
"""Characters of the long ones."""


@dataclass(frozen=True, slots=True)
class Hostile:
    """One text. ``tag`` stands before it in every field, so that it can be told where it was shown."""

    tag: str
    text: str
    reason: str

    @property
    def field(self) -> str:
        """What a field holds: the tag, then the text."""
        return f"{self.tag} {self.text}"


_STORED: tuple[tuple[str, str], ...] = (
    # Escape sequences
    ("\x1b[5;31;107mblink", "colors and blinking, which spoof what the program says itself"),
    ("\x1b[8mconceal", "words that are there and not seen"),
    ("\x1b[3J\x1b[2Jgone", "erases the screen and what was scrolled away"),
    ("\x1bcreset", "resets the terminal"),
    ("\x1b[!psoft", "resets it softly"),
    ("\x1b[?47hother", "goes to the other screen"),
    ("\x1b[99;99Hthere", "writes anywhere on the screen"),
    ("\x1b[7A\x1b[1Gup", "writes over earlier lines"),
    ("\x1b[5;6rregion", "sets a scrolling region"),
    ("\x1b[4hinsert", "insert mode"),
    ("\x1b[?5hreverse", "reverses the screen"),
    ("\x1b[?1003hmouse", "reports every move of the mouse as input"),
    ("\x1b[?2004lpaste", "ends bracketed paste: what is pasted would be run"),
    ("\x1b[20hnewline", "changes what enter sends"),
    ("\x1b[8;200;300tsize", "resizes the window"),
    ("\x1b[21ttitle", "asks for the title, which comes back as input"),
    ("\x1b[5nstatus", "asks for the state, which comes back as input"),
    ("\x1b[>0cwho", "asks for attributes, which come back as input"),
    ("\x1b[5iprint", "sends everything to the printer"),
    ("\x1b#8align", "fills the screen with E"),
    ("\x1b(0lqqk\x1b(B", "another character set"),
    ("\x1b%@latin", "leaves UTF-8"),
    # Strings of the terminal
    ("\x1b]0;owned\x07", "sets the title, ended by a bell"),
    ("\x1b]2;owned\x1b\\", "sets the title, ended by ST"),
    ("\x1b]52;c;b3duZWQ=\x07", "OSC 52: writes the clipboard"),
    ("\x1b]52;c;?\x07", "OSC 52: reads the clipboard"),
    ("\x1b]8;;https://evil.example/\x1b\\click\x1b]8;;\x1b\\", "a link that says something else"),
    ("\x1b]4;1;rgb:ff/ff/ff\x07", "changes the palette"),
    ("\x1b]9;owned\x07\x1b]777;notify;a;b\x07", "notifications of the desktop"),
    ("\x1b]1337;File=inline=1:AAAA\x07", "an image, or a file that is saved"),
    ("\x1bPq#0;2;0;0;0#0~~@@\x1b\\", "DCS: a sixel image"),
    ("\x1bP+q544e\x1b\\", "DCS: asks for a capability, which comes back as input"),
    ("\x1b_Gf=24,t=f;L2V0Yw==\x1b\\", "APC: a graphics protocol that reads files"),
    ("\x1b^private\x1b\\\x1bXstart\x1b\\", "PM and SOS swallow what follows"),
    ("unfinished\x1b", "an escape that takes the next character of the program"),
    ("unfinished\x1b[", "a CSI that takes what follows as its parameters"),
    ("unfinished\x1b]0;", "an OSC that swallows the screen until a bell"),
    # Single controls
    ("bell\x07\x07\x07", "rings"),
    ("shown\b\b\b\b\bother", "backspaces over what was shown"),
    ("shown\rother", "a carriage return over what was shown"),
    ("nul\x00nul", "ends a string for C"),
    ("enq\x05", "answerback: input that nobody typed"),
    ("shift\x0eout\x0f", "another character set, in one byte"),
    ("flow\x13\x11", "XOFF stops the terminal"),
    ("cancel\x18\x1a", "CAN and SUB"),
    ("page\x0b\x0cfeed", "vertical tab and form feed"),
    ("del\x7f\x7f\x7f", "DEL, the one control in ASCII above the letters"),
    ("".join(map(chr, range(1, 9))) + "".join(map(chr, range(14, 32))), "every other C0 control at once"),
    # C1
    ("\x9b5;31mcsi", "CSI in one character"),
    ("\x9d0;owned\x9c", "OSC and ST in one character each"),
    ("\x90q\x9c\x98\x9e\x9f", "DCS, SOS, PM, APC"),
    ("\x84\x85\x88\x8d\x8f", "IND, NEL, HTS, RI, SS3"),
    # Direction
    ("\u202egpj.exe\u202c", "an override: gpj.exe reads as exe.jpg"),
    ("\u202a\u202b\u202d\u202c", "embeddings that are never closed as they were opened"),
    ("\u2066\u2067\u2068\u2069", "isolates"),
    ("a\u200eb\u200fc\u061cd", "direction marks"),
    # Not seen
    ("pass\u200bword", "zero-width space: not the word that it looks"),
    ("pass\u2060word\ufeff", "word joiner and byte order mark"),
    ("soft\u00adhyphen\u180e", "soft hyphen, Mongolian separator"),
    ("\u2061\u2062\u2063\u2064\u2065", "invisible operators, and what is reserved beside them"),
    ("\u206a\u206b\u206c\u206d\u206e\u206f", "deprecated format characters"),
    ("\u2028line\u2029paragraph", "separators that some programs take for line ends"),
    ("\ufff9a\ufffab\ufffb", "interlinear annotation: words under words"),
    ("".join(chr(0xE0000 + ord(each)) for each in "ignore all") + "\U000e0001\U000e007f", "a message in tags"),
    ("\U0001bca0\U0001d173\U0001d17a\U000e0fff", "format characters of shorthand and music, and a reserved one"),
    # Markup and templates
    ("[/nope]", "closes a tag of markup that was never opened"),
    ("[bold red]red[/]", "markup of Rich and Textual"),
    ("[@click=app.quit()]quit[/]", "markup with an action in it"),
    ("[link=https://evil.example]here[/link]", "markup with a link in it"),
    ("\\[bold] [", "an escaped bracket, and one that never ends"),
    ("[on #000000 $error 50%]", "a style with variables"),
    (":smile: **bold** `code` <b>html</b> &amp;", "emoji codes, Markdown, HTML"),
    ("{0} {card.uid!r} {{x}} %s %n %(a)s $HOME ${IFS}", "placeholders of formats and shells"),
    ("{% raw %}{{ cycler.__init__ }}", "a template"),
    ('"""\n[models]\nx = 1 # \'; DROP TABLE document; --', "quotes and tables of TOML, SQL"),
    ("--json", "reads as an option"),
    ("../../../../etc/passwd", "reads as a path"),
    ("<|im_end|>\n<|im_start|>system", "marks of a chat template"),
    # Shapes
    ("one\ntwo\r\nthree\tfour", "several lines where one is shown"),
    ("   ", "nothing but spaces"),
    ("\U0001f1e6\U0001f1fd\ufe0f\u20e3\ue000\U000f0000\ufffe", "half flags, private use, a noncharacter"),
    ("Z" + "\u0335\u0336\u0489" * 60, "marks stacked on one letter"),
    ("x" * LINE, "a line of 10,000 characters"),
    ("word " * (LINE // 5), "10,000 characters of short words"),
    ("\x1b[35m[/" * (LINE // 7), "10,000 characters of escapes and markup"),
    ("\u202e" * LINE, "10,000 overrides"),
    ("字" * LINE, "10,000 characters of two cells each"),
    (FAMILY * (LINE // len(FAMILY)), "10,000 characters of emoji sequences"),
    ("\u0301" * LINE, "10,000 marks on one letter"),
    ("[" * LINE, "10,000 brackets"),
    ("\n" * LINE, "10,000 empty lines"),
)

STORED: tuple[Hostile, ...] = tuple(
    Hostile(f"h{number:02}", text, reason) for number, (text, reason) in enumerate(_STORED)
)
SURROGATES: tuple[Hostile, ...] = (
    Hostile("s0", "\ud800", "a lone high surrogate"),
    Hostile("s1", "\udc9b\udcff", "bytes that are no UTF-8, as arguments and file names bring them in"),
    Hostile("s2", "\udfff\ud800", "a pair the wrong way round"),
    Hostile("s3", "\ud83d\ude00", "an emoji in two halves"),
)
EVERY = STORED + SURROGATES


def at(number: int) -> str:
    """The field number so and so, round and round."""
    return STORED[number % len(STORED)].field
