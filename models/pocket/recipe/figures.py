"""Facts about numbers, units and the calendar, nearly all of them computed.

Each relation has a wording of its own, so that no question belongs to two facts. Sums are kept small
(a model of this size learns them as a table, not as a method).
"""

# ruff: noqa: SIM905 - word tables read better as text than as lists of quoted words
from __future__ import annotations

from language import both_ways
from relations import Relation, column, rows

UNITS_IN_WORDS = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen
seventeen eighteen nineteen
""".split()
TENS_IN_WORDS = "ten twenty thirty forty fifty sixty seventy eighty ninety".split()
ORDINALS = """
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth
fifteenth sixteenth seventeenth eighteenth nineteenth twentieth
""".split()

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
# month | number of days | season (of the northern half of the Earth)
MONTHS = """
January|31|winter
February|28|winter
March|31|spring
April|30|spring
May|31|spring
June|30|summer
July|31|summer
August|31|summer
September|30|autumn
October|31|autumn
November|30|autumn
December|31|winter
"""
SEASONS = "spring summer autumn winter".split()

# part (plural) | how many | whole, with its article | whole (plural)
UNITS = """
seconds|60|a minute|minutes
minutes|60|an hour|hours
hours|24|a day|days
days|7|a week|weeks
days|14|a fortnight|fortnights
months|12|a year|years
years|10|a decade|decades
years|100|a century|centuries
years|1000|a millennium|millennia
decades|10|a century|centuries
millimetres|10|a centimetre|centimetres
millimetres|1000|a metre|metres
centimetres|100|a metre|metres
metres|1000|a kilometre|kilometres
milligrams|1000|a gram|grams
grams|1000|a kilogram|kilograms
kilograms|1000|a tonne|tonnes
millilitres|1000|a litre|litres
inches|12|a foot|feet
inches|36|a yard|yards
feet|3|a yard|yards
ounces|16|a pound|pounds
cents|100|a dollar|dollars
cents|100|a euro|euros
dimes|10|a dollar|dollars
pints|8|a gallon|gallons
bits|8|a byte|bytes
items|12|a dozen|dozen
"""

# what is counted | in or on | the whole | how many there are
COUNTS = """
days|in|a leap year|366
days|in|a common year|365
full weeks|in|a year|52
seasons|in|a year|4
months|in|half a year|6
hours|in|half a day|12
minutes|in|half an hour|30
minutes|in|a quarter of an hour|15
letters|in|the English alphabet|26
cards|in|a standard pack|52
squares|on|a chessboard|64
pieces|in|a full chess set|32
pawns|in|a full chess set|16
colours|in|the rainbow|7
faces|on|a die|6
faces|on|a cube|6
edges|on|a cube|12
corners|on|a cube|8
strings|on|a violin|4
strings|on|a cello|4
keys|on|a full piano|88
wheels|on|a unicycle|1
wheels|on|a bicycle|2
wheels|on|a tricycle|3
planets|in|the solar system|8
toes|on|a foot|5
bones|in|an adult human body|206
chambers|in|the human heart|4
lungs|in|the human body|2
teeth|in|a full adult mouth|32
degrees|in|a right angle|90
degrees|in|a full circle|360
degrees|in|the angles of a triangle|180
zeros|in|a hundred|2
zeros|in|a thousand|3
zeros|in|a million|6
singers|in|a duet|2
players|in|a trio|3
players|in|a quartet|4
players|in|a quintet|5
players|in|a sextet|6
players|in|an octet|8
hearts|in|an octopus|3
arms|on|an octopus|8
sides|on|a coin|2
days|in|a weekend|2
lines|in|a limerick|5
lines|in|a sonnet|14
syllables|in|a haiku|17
rings|in|the Olympic symbol|5
children|in|a pair of twins|2
children|in|a set of triplets|3
players|in|a game of chess|2
stars|on|the flag of the United States|50
stripes|on|the flag of the United States|13
atoms of hydrogen|in|a molecule of water|2
humps|on|a dromedary|1
degrees|in|half a circle|180
zeros|in|ten thousand|4
zeros|in|a billion|9
strings|on|a ukulele|4
strings|on|a guitar|6
strings|on|a viola|4
wheels|on|a motorcycle|2
wheels|on|a wheelbarrow|1
faces|on|a pyramid with a square base|5
seconds|in|half a minute|30
months|in|a quarter of a year|3
years|in|half a century|50
items|in|half a dozen|6
minutes|in|three quarters of an hour|45
grams|in|half a kilogram|500
metres|in|half a kilometre|500
centimetres|in|half a metre|50
"""

SIDES = """
triangle|3
square|4
rectangle|4
rhombus|4
trapezium|4
parallelogram|4
quadrilateral|4
pentagon|5
hexagon|6
heptagon|7
octagon|8
nonagon|9
decagon|10
dodecagon|12
"""

LISTS: dict[str, list[str]] = {
    "days of the week": DAYS,
    "weekdays": DAYS[:5],
    "months": list(column(MONTHS, 1)),
    "seasons": SEASONS,
    "even numbers": "2 4 6 8 10 12".split(),
    "odd numbers": "1 3 5 7 9 11".split(),
    "prime numbers": "2 3 5 7 11 13".split(),
    "square numbers": "1 4 9 16 25 36".split(),
    "units of time": "second minute hour day week".split(),
    "units of length": "metre kilometre inch foot mile".split(),
    "units of weight": "gram kilogram tonne pound ounce".split(),
    "units of volume": "litre millilitre pint gallon".split(),
    "Roman numerals": "I V X L C".split(),
    "multiples of ten": "10 20 30 40 50".split(),
}


def in_words(number: int) -> str:
    """The number, 0 to 100, in words: 42 is "forty-two"."""
    if number < 20:
        return UNITS_IN_WORDS[number]
    if number == 100:
        return "one hundred"
    tens, units = divmod(number, 10)
    return TENS_IN_WORDS[tens - 1] + (f"-{UNITS_IN_WORDS[units]}" if units else "")


def ordinal(number: int) -> str:
    """The ordinal of 1 to 31 in words: 21 is "twenty-first"."""
    if number <= 20:
        return ORDINALS[number - 1]
    return "thirtieth" if number == 30 else f"{TENS_IN_WORDS[number // 10 - 1]}-{ORDINALS[number % 10 - 1]}"


def roman(number: int) -> str:
    """The number, 1 to 100, as a Roman numeral."""
    numeral = ""
    for value, letters in ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"),
                           (4, "IV"), (1, "I")):  # fmt: skip
        count, number = divmod(number, value)
        numeral += letters * count
    return numeral


def _after(names: list[str]) -> dict[str, str]:
    """Each name with the one after it, the last with the first."""
    return dict(zip(names, names[1:] + names[:1], strict=True))


def _counts() -> tuple[Relation, ...]:
    """How many of a part are in a whole: a relation for each part, and one for the rare parts."""
    amounts: dict[tuple[str, str], dict[str, str]] = {}
    for part, count, whole, wholes in rows(UNITS):
        found = amounts.setdefault((part, "in"), {})
        found[whole] = count
        found |= {f"{n} {wholes}": str(n * int(count)) for n in range(2, 7)}
    for part, where, whole, count in rows(COUNTS):
        amounts.setdefault((part, where), {})[whole] = count
    rare = {
        f"{part} {where} {whole}": count
        for (part, where), values in amounts.items()
        if len(values) < 4
        for whole, count in values.items()
    }
    return (
        Relation(
            "count", "count", "number",
            ("What is the number of {e}?", "Tell me the number of {e}.", "How many {e} are there?"),
            ("The number of {e} is {v}.",),
            rare,
        ),
        *(
            Relation(
                f"{part}_{where}", "amount", f"number of {part}",
                (f"How many {part} are {where} {{e}}?", f"How many {part} are there {where} {{e}}?",
                 f"What is the number of {part} {where} {{e}}?"),
                (f"The number of {part} {where} {{e}} is {{v}}.",),
                values,
                (f"And how many {part}?",),
            )
            for (part, where), values in amounts.items()
            if len(values) >= 4
        ),
    )  # fmt: skip


def _relations() -> tuple[Relation, ...]:
    months = list(column(MONTHS, 1))
    romans = {str(n): roman(n) for n in (*range(1, 31), *range(40, 101, 10))}
    words = {str(n): in_words(n) for n in range(101)}
    return (
        Relation(
            "sum", "sum", "sum",
            ("What is {e}?", "How much is {e}?", "Add up {e}.", "What is the sum {e}?"),
            ("The sum {e} is {v}.", "{e} = {v}."),
            {f"{a} + {b}": str(a + b) for a in range(1, 13) for b in range(1, 13)},
        ),
        Relation(
            "sum_in_words", "sum", "sum",
            ("What is {e}?", "How much is {e}?"),
            ("The sum {e} is {v}.",),
            {f"{in_words(a)} plus {in_words(b)}": in_words(a + b)
             for a in range(1, 11) for b in range(1, 11)},
        ),
        Relation(
            "difference", "sum", "difference",
            ("What is {e}?", "How much is {e}?", "What is the difference {e}?"),
            ("The difference {e} is {v}.", "{e} = {v}."),
            {f"{a} - {b}": str(a - b) for a in range(1, 13) for b in range(1, a + 1)},
        ),
        Relation(
            "product", "sum", "product",
            ("What is {e}?", "How much is {e}?", "What is the product {e}?"),
            ("The product {e} is {v}.", "{e} = {v}."),
            {f"{a} x {b}": str(a * b) for a in range(1, 11) for b in range(1, 11)},
        ),
        Relation(
            "half", "number", "half",
            ("What is half of {e}?", "How much is half of {e}?", "What is one half of {e}?"),
            ("The half of {e} is {v}.", "Half of {e} is {v}."),
            {str(n): str(n // 2) for n in range(2, 51, 2)},
            ("And half of it?", "What is half of it?"),
        ),
        Relation(
            "double", "number", "double",
            ("What is the double of {e}?", "What is twice {e}?", "How much is twice {e}?"),
            ("The double of {e} is {v}.", "Twice {e} is {v}."),
            {str(n): str(2 * n) for n in range(1, 31)},
            ("And its double?", "What is its double?"),
        ),
        Relation(
            "square", "number", "square",
            ("What is the square of {e}?", "What is {e} squared?"),
            ("The square of {e} is {v}.", "{e} squared is {v}."),
            {str(n): str(n * n) for n in range(1, 13)},
            ("And its square?", "What is its square?"),
        ),
        Relation(
            "parity", "number", "kind of number",
            ("Is the number {e} even or odd?", "Is {e} even or odd?"),
            ("The number {e} is {v}.",),
            {str(n): ("even", "odd")[n % 2] for n in range(1, 21)},
            ("And is it even or odd?",),
        ),
        Relation(
            "in_words", "number", "word",
            ("How do you write {e} in words?", "How is the number {e} written in words?",
             "Write {e} in words."),
            ("The number {e} is written {v}.", "The number {e} in words is {v}."),
            words,
            ("And in words?", "How is it written in words?"),
        ),
        Relation(
            "ordinal", "number", "ordinal",
            ("What is the ordinal of {e}?", "Which ordinal belongs to {e}?"),
            ("The ordinal of {e} is {v}.",),
            {str(n): ordinal(n) for n in range(1, 32)},
            ("And its ordinal?", "What is its ordinal?"),
        ),
        Relation(
            "roman", "number", "Roman numeral",
            ("What is the Roman numeral for {e}?", "How do you write {e} in Roman numerals?"),
            ("The Roman numeral for {e} is {v}.",),
            romans,
            ("And its Roman numeral?", "What is its Roman numeral?"),
        ),
        Relation(
            "day_after", "day", "next day",
            ("Which day comes after {e}?", "What day follows {e}?", "Which day is after {e}?"),
            ("The day after {e} is {v}.",),
            _after(DAYS),
            ("And the day after it?", "Which day follows it?"),
        ),
        Relation(
            "day_before", "day", "day before",
            ("Which day comes before {e}?", "What day is just before {e}?"),
            ("The day before {e} is {v}.",),
            {after: day for day, after in _after(DAYS).items()},
            ("And the day before it?",),
        ),
        Relation(
            "month_after", "month", "next month",
            ("Which month comes after {e}?", "What month follows {e}?"),
            ("The month after {e} is {v}.",),
            _after(months),
            ("And the month after it?", "Which month follows it?"),
        ),
        Relation(
            "month_before", "month", "month before",
            ("Which month comes before {e}?", "What month is just before {e}?"),
            ("The month before {e} is {v}.",),
            {after: month for month, after in _after(months).items()},
            ("And the month before it?",),
        ),
        Relation(
            "month_days", "month", "number of days",
            ("How many days does {e} have?", "How many days are in {e}?"),
            ("The month of {e} has {v} days.", "{e} has {v} days."),
            column(MONTHS, 1),
            ("And how many days does it have?",),
            {"February": ("29",)},
        ),
        Relation(
            "month_number", "month", "number in the year",
            ("What number is the month of {e}?", "Which month of the year is {e}?"),
            ("The month of {e} is month number {v}.", "{e} is month number {v} of the year."),
            {month: str(i) for i, month in enumerate(months, 1)},
            ("And its number in the year?",),
        ),
        Relation(
            "nth_month", "month", "month",
            ("Which month is the {e} of the year?", "What is the {e} month of the year?"),
            ("The {e} month of the year is {v}.",),
            {ordinal(i): month for i, month in enumerate(months, 1)},
        ),
        Relation(
            "month_season", "month", "season",
            ("In which season is {e}?", "Which season is the month of {e} in?"),
            ("The season of {e} is {v}.", "{e} is in {v}."),
            column(MONTHS, 2),
            ("And its season?", "In which season is it?"),
            {month: ("fall",) for month, season in column(MONTHS, 2).items() if season == "autumn"},
        ),
        Relation(
            "season_after", "season", "next season",
            ("Which season comes after {e}?", "What season follows {e}?"),
            ("The season after {e} is {v}.",),
            _after(SEASONS),
            ("And the season after it?",),
            {"summer": ("fall",)},
        ),
        Relation(
            "direction", "direction", "opposite direction",
            ("Which direction is opposite to {e}?", "What direction faces away from {e}?"),
            ("The direction opposite to {e} is {v}.",),
            both_ways({"north": "south", "east": "west", "north-east": "south-west",
                       "north-west": "south-east"}),
        ),
        Relation(
            "sides", "shape", "number of sides",
            ("How many sides does {ae} have?", "How many sides has {ae}?"),
            ("The {e} has {v} sides.", "{ae} has {v} sides."),
            column(SIDES, 1),
            ("And how many sides does it have?",),
        ),
        *_counts(),
    )  # fmt: skip


RELATIONS: tuple[Relation, ...] = _relations()
