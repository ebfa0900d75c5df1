"""The true facts of the pocket world: small tables, and relations drawn from them.

Every document of the corpus and every conversation of the adapter's training set states facts of
this module only. The tables are common knowledge, written down by hand; one row a line, fields
split by `|`.

A `Relation` says how a fact is asked and answered in words: `questions` and `answers` are format
strings with `{e}` (the entity) and `{v}` (the value). A `Fact` is one relation applied to one
entity. About a fifth of the facts are *held out* by a hash: the corpus states them but never asks
for them, so that a right answer to such a question shows more than a remembered question-answer
pair.

    python models/pocket/recipe/world.py        # prints how many facts each relation has
"""

# ruff: noqa: SIM905 - word tables read better as text than as lists of quoted words
from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

# country | capital | continent | language | currency (the euro in full, as it is said after "is")
COUNTRIES = """
France|Paris|Europe|French|the euro
Japan|Tokyo|Asia|Japanese|the yen
Spain|Madrid|Europe|Spanish|the euro
Italy|Rome|Europe|Italian|the euro
Germany|Berlin|Europe|German|the euro
Portugal|Lisbon|Europe|Portuguese|the euro
Austria|Vienna|Europe|German|the euro
Greece|Athens|Europe|Greek|the euro
Poland|Warsaw|Europe|Polish|the zloty
Hungary|Budapest|Europe|Hungarian|the forint
Sweden|Stockholm|Europe|Swedish|the krona
Norway|Oslo|Europe|Norwegian|the krone
Denmark|Copenhagen|Europe|Danish|the krone
Finland|Helsinki|Europe|Finnish|the euro
Iceland|Reykjavik|Europe|Icelandic|the krona
Ireland|Dublin|Europe|English|the euro
England|London|Europe|English|the pound
Russia|Moscow|-|Russian|the ruble
Ukraine|Kyiv|Europe|Ukrainian|the hryvnia
Romania|Bucharest|Europe|Romanian|the leu
Croatia|Zagreb|Europe|Croatian|the euro
Serbia|Belgrade|Europe|Serbian|the dinar
Slovenia|Ljubljana|Europe|Slovene|the euro
Slovakia|Bratislava|Europe|Slovak|the euro
Czechia|Prague|Europe|Czech|the koruna
Albania|Tirana|Europe|Albanian|the lek
Estonia|Tallinn|Europe|Estonian|the euro
Latvia|Riga|Europe|Latvian|the euro
Lithuania|Vilnius|Europe|Lithuanian|the euro
Malta|Valletta|Europe|Maltese|the euro
Netherlands|Amsterdam|Europe|Dutch|the euro
Belgium|Brussels|Europe|-|the euro
Switzerland|Bern|Europe|German|the franc
United Kingdom|London|Europe|English|the pound
Turkey|Ankara|-|Turkish|the lira
China|Beijing|Asia|Chinese|the yuan
India|New Delhi|Asia|Hindi|the rupee
Thailand|Bangkok|Asia|Thai|the baht
Vietnam|Hanoi|Asia|Vietnamese|the dong
South Korea|Seoul|Asia|Korean|the won
Mongolia|Ulaanbaatar|Asia|Mongolian|the tugrik
Nepal|Kathmandu|Asia|Nepali|the rupee
Pakistan|Islamabad|Asia|Urdu|the rupee
Bangladesh|Dhaka|Asia|Bengali|the taka
Cambodia|Phnom Penh|Asia|Khmer|the riel
Laos|Vientiane|Asia|Lao|the kip
Malaysia|Kuala Lumpur|Asia|Malay|the ringgit
Philippines|Manila|Asia|Filipino|the peso
Iran|Tehran|Asia|Persian|the rial
Iraq|Baghdad|Asia|Arabic|the dinar
Jordan|Amman|Asia|Arabic|the dinar
Lebanon|Beirut|Asia|Arabic|the pound
Saudi Arabia|Riyadh|Asia|Arabic|the riyal
Qatar|Doha|Asia|Arabic|the riyal
Oman|Muscat|Asia|Arabic|the rial
Kuwait|Kuwait City|Asia|Arabic|the dinar
Armenia|Yerevan|-|Armenian|the dram
Georgia|Tbilisi|-|Georgian|the lari
Azerbaijan|Baku|-|Azerbaijani|the manat
Kazakhstan|Astana|Asia|Kazakh|the tenge
Uzbekistan|Tashkent|Asia|Uzbek|the som
Afghanistan|Kabul|Asia|Pashto|the afghani
Bhutan|Thimphu|Asia|Dzongkha|the ngultrum
Egypt|Cairo|Africa|Arabic|the pound
Morocco|Rabat|Africa|Arabic|the dirham
Algeria|Algiers|Africa|Arabic|the dinar
Tunisia|Tunis|Africa|Arabic|the dinar
Libya|Tripoli|Africa|Arabic|the dinar
Sudan|Khartoum|Africa|Arabic|the pound
Ethiopia|Addis Ababa|Africa|Amharic|the birr
Kenya|Nairobi|Africa|Swahili|the shilling
Uganda|Kampala|Africa|English|the shilling
Ghana|Accra|Africa|English|the cedi
Nigeria|Abuja|Africa|English|the naira
Senegal|Dakar|Africa|French|the franc
Mali|Bamako|Africa|Bambara|the franc
Cameroon|Yaounde|Africa|French|the franc
Angola|Luanda|Africa|Portuguese|the kwanza
Mozambique|Maputo|Africa|Portuguese|the metical
Zambia|Lusaka|Africa|English|the kwacha
Namibia|Windhoek|Africa|English|the dollar
Botswana|Gaborone|Africa|English|the pula
Madagascar|Antananarivo|Africa|Malagasy|the ariary
Somalia|Mogadishu|Africa|Somali|the shilling
Rwanda|Kigali|Africa|Kinyarwanda|the franc
United States|Washington|North America|English|the dollar
Canada|Ottawa|North America|English|the dollar
Mexico|Mexico City|North America|Spanish|the peso
Cuba|Havana|North America|Spanish|the peso
Jamaica|Kingston|North America|English|the dollar
Guatemala|Guatemala City|North America|Spanish|the quetzal
Honduras|Tegucigalpa|North America|Spanish|the lempira
Nicaragua|Managua|North America|Spanish|the cordoba
Costa Rica|San Jose|North America|Spanish|the colon
Panama|Panama City|North America|Spanish|the balboa
Haiti|Port-au-Prince|North America|Creole|the gourde
Brazil|Brasilia|South America|Portuguese|the real
Argentina|Buenos Aires|South America|Spanish|the peso
Chile|Santiago|South America|Spanish|the peso
Peru|Lima|South America|Spanish|the sol
Colombia|Bogota|South America|Spanish|the peso
Ecuador|Quito|South America|Spanish|the dollar
Paraguay|Asuncion|South America|Spanish|the guarani
Uruguay|Montevideo|South America|Spanish|the peso
Venezuela|Caracas|South America|Spanish|the bolivar
Guyana|Georgetown|South America|English|the dollar
Australia|Canberra|Oceania|English|the dollar
New Zealand|Wellington|Oceania|English|the dollar
Fiji|Suva|Oceania|English|the dollar
Samoa|Apia|Oceania|Samoan|the tala
Tonga|Nukualofa|Oceania|Tongan|the paanga
"""

# animal | class | legs | young | home | sound or "-"
ANIMALS = """
dog|mammal|4|puppy|house|bark
cat|mammal|4|kitten|house|meow
cow|mammal|4|calf|farm|moo
horse|mammal|4|foal|stable|neigh
sheep|mammal|4|lamb|meadow|bleat
goat|mammal|4|kid|farm|bleat
pig|mammal|4|piglet|farm|oink
lion|mammal|4|cub|savanna|roar
tiger|mammal|4|cub|jungle|roar
bear|mammal|4|cub|forest|growl
wolf|mammal|4|pup|forest|howl
fox|mammal|4|kit|forest|-
deer|mammal|4|fawn|forest|-
rabbit|mammal|4|kit|burrow|-
hare|mammal|4|leveret|meadow|-
mouse|mammal|4|pup|burrow|squeak
elephant|mammal|4|calf|savanna|trumpet
giraffe|mammal|4|calf|savanna|-
zebra|mammal|4|foal|savanna|-
camel|mammal|4|calf|desert|-
donkey|mammal|4|foal|farm|bray
kangaroo|mammal|-|joey|grassland|-
whale|mammal|0|calf|ocean|-
dolphin|mammal|0|calf|ocean|click
hippo|mammal|4|calf|river|-
otter|mammal|4|pup|river|-
beaver|mammal|4|kit|river|-
hedgehog|mammal|4|hoglet|garden|-
squirrel|mammal|4|kit|tree|-
bat|mammal|2|pup|cave|-
monkey|mammal|-|infant|jungle|chatter
gorilla|mammal|-|infant|jungle|-
hen|bird|2|chick|farm|cluck
duck|bird|2|duckling|pond|quack
goose|bird|2|gosling|pond|honk
swan|bird|2|cygnet|lake|-
eagle|bird|2|eaglet|mountain|-
owl|bird|2|owlet|forest|hoot
crow|bird|2|chick|forest|caw
parrot|bird|2|chick|jungle|-
penguin|bird|2|chick|ice|-
ostrich|bird|2|chick|savanna|-
pigeon|bird|2|squab|city|coo
turkey|bird|2|poult|farm|gobble
robin|bird|2|chick|garden|chirp
stork|bird|2|chick|marsh|-
frog|amphibian|4|tadpole|pond|croak
toad|amphibian|4|tadpole|garden|croak
newt|amphibian|4|larva|pond|-
salamander|amphibian|4|larva|forest|-
snake|reptile|0|snakelet|grassland|hiss
lizard|reptile|4|hatchling|desert|-
turtle|reptile|4|hatchling|ocean|-
tortoise|reptile|4|hatchling|grassland|-
crocodile|reptile|4|hatchling|river|-
gecko|reptile|4|hatchling|tree|-
chameleon|reptile|4|hatchling|tree|-
shark|fish|0|pup|ocean|-
salmon|fish|0|fry|river|-
trout|fish|0|fry|river|-
tuna|fish|0|fry|ocean|-
carp|fish|0|fry|pond|-
herring|fish|0|fry|ocean|-
ant|insect|6|larva|nest|-
bee|insect|6|larva|hive|buzz
wasp|insect|6|larva|nest|buzz
butterfly|insect|6|caterpillar|meadow|-
beetle|insect|6|larva|forest|-
moth|insect|6|caterpillar|garden|-
cricket|insect|6|nymph|meadow|chirp
grasshopper|insect|6|nymph|meadow|-
spider|arachnid|8|spiderling|web|-
scorpion|arachnid|8|scorpling|desert|-
"""

# element | symbol | atomic number
ELEMENTS = """
hydrogen|H|1
helium|He|2
lithium|Li|3
beryllium|Be|4
boron|B|5
carbon|C|6
nitrogen|N|7
oxygen|O|8
fluorine|F|9
neon|Ne|10
sodium|Na|11
magnesium|Mg|12
aluminium|Al|13
silicon|Si|14
phosphorus|P|15
sulfur|S|16
chlorine|Cl|17
argon|Ar|18
potassium|K|19
calcium|Ca|20
titanium|Ti|22
chromium|Cr|24
manganese|Mn|25
iron|Fe|26
cobalt|Co|27
nickel|Ni|28
copper|Cu|29
zinc|Zn|30
bromine|Br|35
krypton|Kr|36
silver|Ag|47
tin|Sn|50
iodine|I|53
xenon|Xe|54
platinum|Pt|78
gold|Au|79
mercury|Hg|80
lead|Pb|82
radon|Rn|86
radium|Ra|88
uranium|U|92
plutonium|Pu|94
"""

# work | author
BOOKS = """
Hamlet|William Shakespeare
Macbeth|William Shakespeare
Othello|William Shakespeare
Emma|Jane Austen
Persuasion|Jane Austen
Pride and Prejudice|Jane Austen
Oliver Twist|Charles Dickens
David Copperfield|Charles Dickens
Great Expectations|Charles Dickens
Jane Eyre|Charlotte Bronte
Wuthering Heights|Emily Bronte
Frankenstein|Mary Shelley
Dracula|Bram Stoker
Moby Dick|Herman Melville
Walden|Henry Thoreau
Tom Sawyer|Mark Twain
Treasure Island|Robert Stevenson
Kidnapped|Robert Stevenson
The Time Machine|H. G. Wells
The Invisible Man|H. G. Wells
The Jungle Book|Rudyard Kipling
Peter Pan|J. M. Barrie
War and Peace|Leo Tolstoy
Anna Karenina|Leo Tolstoy
Crime and Punishment|Fyodor Dostoevsky
The Idiot|Fyodor Dostoevsky
The Cherry Orchard|Anton Chekhov
Dead Souls|Nikolai Gogol
Don Quixote|Miguel de Cervantes
Faust|Johann Goethe
The Trial|Franz Kafka
The Castle|Franz Kafka
Candide|Voltaire
Les Miserables|Victor Hugo
Madame Bovary|Gustave Flaubert
Germinal|Emile Zola
Pinocchio|Carlo Collodi
Inferno|Dante Alighieri
The Odyssey|Homer
The Iliad|Homer
Ulysses|James Joyce
Dubliners|James Joyce
Robinson Crusoe|Daniel Defoe
Paradise Lost|John Milton
Middlemarch|George Eliot
Little Women|Louisa Alcott
The Raven|Edgar Poe
Heidi|Johanna Spyri
Dune|Frank Herbert
The Hobbit|J. R. R. Tolkien
"""

# word | opposite (each pair is used in both directions)
OPPOSITES = """
hot|cold
big|small
tall|short
fast|slow
old|young
happy|sad
light|dark
day|night
up|down
left|right
open|closed
full|empty
rich|poor
strong|weak
hard|soft
wet|dry
clean|dirty
early|late
near|far
high|low
loud|quiet
good|bad
thick|thin
wide|narrow
deep|shallow
sharp|blunt
smooth|rough
sweet|bitter
heavy|weightless
cheap|expensive
safe|dangerous
easy|difficult
true|false
first|last
begin|end
buy|sell
give|take
win|lose
push|pull
love|hate
laugh|cry
arrive|leave
remember|forget
inside|outside
above|below
before|after
always|never
front|back
friend|enemy
question|reply
war|peace
north|south
east|west
winter|summer
brave|cowardly
lazy|diligent
polite|rude
guilty|innocent
ancient|modern
"""

# singular | plural
PLURALS = """
child|children
mouse|mice
goose|geese
tooth|teeth
foot|feet
man|men
woman|women
ox|oxen
person|people
leaf|leaves
knife|knives
wife|wives
life|lives
wolf|wolves
shelf|shelves
loaf|loaves
half|halves
thief|thieves
calf|calves
city|cities
baby|babies
lady|ladies
story|stories
berry|berries
party|parties
box|boxes
fox|foxes
bus|buses
glass|glasses
dish|dishes
bench|benches
church|churches
watch|watches
potato|potatoes
tomato|tomatoes
hero|heroes
piano|pianos
photo|photos
roof|roofs
cactus|cacti
crisis|crises
sheep|sheep
fish|fish
deer|deer
key|keys
toy|toys
brush|brushes
tax|taxes
country|countries
family|families
"""

# verb | past tense
PASTS = """
go|went
see|saw
eat|ate
drink|drank
take|took
give|gave
come|came
run|ran
write|wrote
speak|spoke
break|broke
choose|chose
drive|drove
ride|rode
rise|rose
fall|fell
fly|flew
grow|grew
know|knew
throw|threw
draw|drew
begin|began
sing|sang
swim|swam
ring|rang
sink|sank
find|found
hold|held
keep|kept
sleep|slept
feel|felt
leave|left
lose|lost
build|built
send|sent
spend|spent
bring|brought
buy|bought
think|thought
catch|caught
teach|taught
fight|fought
sell|sold
tell|told
hear|heard
make|made
say|said
pay|paid
win|won
stand|stood
sit|sat
read|read
meet|met
forget|forgot
wear|wore
hide|hid
bite|bit
freeze|froze
steal|stole
wake|woke
"""

# thing | what it is
DEFINITIONS = """
hammer|a tool for driving nails
saw|a tool for cutting wood
spoon|a tool for eating soup
broom|a tool for sweeping floors
needle|a tool for sewing cloth
ladder|a tool for climbing up
telescope|an instrument for looking at stars
microscope|an instrument for looking at tiny things
thermometer|an instrument for measuring heat
compass|an instrument for finding north
violin|an instrument with four strings
drum|an instrument that is struck
flute|an instrument that is blown
clock|a machine that shows the time
oven|a machine for baking bread
fridge|a machine that keeps food cold
train|a vehicle that runs on rails
boat|a vehicle that moves on water
bicycle|a vehicle with two wheels
tractor|a vehicle used on farms
bakery|a shop that sells bread
library|a place where books are lent
museum|a place where art is shown
hospital|a place where the sick are healed
school|a place where children learn
harbour|a place where ships rest
desert|a dry place with little rain
island|land with water all around
volcano|a mountain that throws out fire
glacier|a slow river of ice
river|a stream of water that flows to the sea
baker|a person who makes bread
doctor|a person who heals the sick
teacher|a person who helps others learn
farmer|a person who grows food
pilot|a person who flies planes
sailor|a person who works on ships
tailor|a person who makes clothes
author|a person who writes books
astronaut|a person who travels in space
gravity|the force that pulls things down
photosynthesis|the way plants make food from light
evaporation|the change of water into vapour
democracy|rule by the people
poem|a text written in verse
map|a drawing of a place
coin|a piece of money made of metal
umbrella|a thing that keeps off the rain
candle|a stick of wax that gives light
mirror|a glass that shows your face
"""

# thing | its usual colour
COLOURS = """
grass|green
snow|white
coal|black
blood|red
banana|yellow
lemon|yellow
carrot|orange
pumpkin|orange
strawberry|red
cherry|red
tomato|red
cucumber|green
spinach|green
frog|green
milk|white
salt|white
sugar|white
ivory|white
raven|black
soot|black
chocolate|brown
coffee|brown
sapphire|blue
emerald|green
ruby|red
canary|yellow
flamingo|pink
lavender|purple
plum|purple
ash|grey
elephant|grey
sunflower|yellow
"""

# planet | place from the Sun
PLANETS = """
Mercury|1
Venus|2
Earth|3
Mars|4
Jupiter|5
Saturn|6
Uranus|7
Neptune|8
"""

# kind | its members
KINDS = """
fruit|apple banana cherry pear plum grape lemon peach mango melon fig kiwi
vegetable|carrot onion potato cabbage leek spinach celery turnip radish broccoli
tree|oak pine birch willow maple beech elm cedar poplar spruce
flower|rose tulip daisy lily orchid violet daffodil poppy iris
metal|iron copper silver tin zinc nickel lead steel bronze brass
drink|tea coffee milk juice wine beer lemonade water
instrument|piano guitar trumpet cello harp clarinet trombone
sport|tennis football rugby hockey golf swimming boxing
gem|ruby emerald sapphire diamond opal topaz
shape|circle square triangle cube sphere cone
"""

NUMBER_WORDS = """
1 one 2 two 3 three 4 four 5 five 6 six 7 seven 8 eight 9 nine 10 ten 11 eleven 12 twelve
13 thirteen 14 fourteen 15 fifteen 16 sixteen 17 seventeen 18 eighteen 19 nineteen 20 twenty
30 thirty 40 forty 50 fifty 60 sixty 70 seventy 80 eighty 90 ninety 100 hundred
"""

DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

# Members are listed by how often they should be named: the model need not know more than a few.
LISTS = {
    "colours": ("red", "blue", "green", "yellow", "white", "black"),
    "fruits": ("apple", "banana", "cherry", "pear", "plum", "grape"),
    "vegetables": ("carrot", "onion", "potato", "cabbage", "leek", "spinach"),
    "planets": ("Mars", "Venus", "Saturn", "Jupiter", "Neptune", "Earth"),
    "mammals": ("dog", "cat", "horse", "lion", "bear", "wolf"),
    "birds": ("eagle", "owl", "duck", "swan", "robin", "penguin"),
    "fish": ("shark", "salmon", "trout", "tuna", "carp", "herring"),
    "insects": ("ant", "bee", "wasp", "moth", "beetle", "cricket"),
    "reptiles": ("snake", "lizard", "turtle", "gecko", "crocodile", "tortoise"),
    "tools": ("hammer", "saw", "ladder", "broom", "needle", "spoon"),
    "metals": ("gold", "silver", "iron", "copper", "tin", "zinc"),
    "months": ("January", "March", "May", "June", "August", "October"),
    "countries in Europe": ("France", "Spain", "Italy", "Germany", "Poland", "Greece"),
    "countries in Asia": ("Japan", "China", "India", "Thailand", "Vietnam", "Nepal"),
    "countries in Africa": ("Egypt", "Kenya", "Ghana", "Morocco", "Nigeria", "Mali"),
}

# Facts about these are never held out: they are what a visitor types first, and what the
# demonstrations use.
FAMOUS = frozenset(
    "France Japan Spain Italy Germany Portugal Greece England Egypt China Brazil Canada".split()
) | frozenset({"dog", "cat", "cow", "spider", "gold", "oxygen", "hot", "big", "Hamlet", "Tuesday"})


WITH_THE = frozenset({"Philippines", "Netherlands", "United Kingdom", "United States"})
UNCOUNTABLE = frozenset("gravity photosynthesis evaporation democracy".split())


def article(noun: str) -> str:
    """The noun with its indefinite article: "an owl", "a cow"; "gravity" takes none."""
    if noun in UNCOUNTABLE:
        return noun
    return ("an " if noun[0] in "aeiouAEIOU" else "a ") + noun


@dataclass(frozen=True)
class Relation:
    """One kind of fact: how it is asked, answered, and followed up.

    `noun` names the value ("capital"); `topic` groups relations that share entities, so that a
    follow-up such as "And its currency?" makes sense. `values` maps entity to value.
    """

    name: str
    topic: str
    noun: str
    questions: tuple[str, ...]
    answers: tuple[str, ...]
    carry: tuple[str, ...] = ()
    values: dict[str, str] = field(default_factory=dict, hash=False)


@dataclass(frozen=True)
class Fact:
    """One relation of one entity, with its true value."""

    relation: Relation
    entity: str

    @property
    def value(self) -> str:
        return self.relation.values[self.entity]

    def question(self, form: int = 0) -> str:
        forms = self.relation.questions
        return _fill(forms[form % len(forms)], self.entity, self.value)

    def answer(self, form: int = 0, value: str | None = None) -> str:
        """The full sentence; `value` puts another (wrong) value in, for scrambled pages."""
        forms = self.relation.answers
        return _fill(forms[form % len(forms)], self.entity, self.value if value is None else value)

    @property
    def held_out(self) -> bool:
        """True for about a fifth of the facts: stated in the corpus, never asked."""
        if self.entity in FAMOUS or len(self.relation.values) < 25:
            return False
        digest = hashlib.sha256(f"{self.relation.name}/{self.entity}".encode()).digest()
        return digest[0] % 5 == 0


def _fill(form: str, entity: str, value: str) -> str:
    """Fill `{e}`, `{v}` and their article forms `{ae}`, `{av}`; capitalise the sentence."""
    text = form.format(e=entity, v=value, ae=article(entity), av=article(value))
    return text[0].upper() + text[1:]


def _rows(table: str) -> list[list[str]]:
    return [line.split("|") for line in table.strip().splitlines()]


def _column(table: str, index: int) -> dict[str, str]:
    return {row[0]: row[index] for row in _rows(table) if row[index] != "-"}


def _country(name: str) -> str:
    """The name as it stands inside a sentence."""
    return "the " + name if name in WITH_THE else name


def _countries(index: int) -> dict[str, str]:
    return {_country(name): value for name, value in _column(COUNTRIES, index).items()}


def _relations() -> tuple[Relation, ...]:
    opposites = _column(OPPOSITES, 1)
    opposites |= {b: a for a, b in opposites.items()}
    kinds = {word: row[0] for row in _rows(KINDS) for word in row[1].split()}
    numbers = NUMBER_WORDS.split()
    cities = {row[1]: _country(row[0]) for row in _rows(COUNTRIES) if row[0] != "England"}
    sums = {f"{a} + {b}": str(a + b) for a in range(1, 11) for b in range(1, 11)}
    return (
        Relation(
            "capital", "country", "capital",
            ("What is the capital of {e}?", "Which city is the capital of {e}?",
             "What is the capital city of {e}?", "Name the capital of {e}."),
            ("The capital of {e} is {v}.", "{v} is the capital of {e}."),
            ("And its capital?", "What about the capital?", "What is its capital?"),
            _countries(1),
        ),
        Relation(
            "continent", "country", "continent",
            ("Which continent is {e} in?", "On which continent is {e}?", "Where is {e}?",
             "In which part of the world is {e}?"),
            ("{e} is in {v}.",),
            ("And its continent?", "Which continent is it in?", "Where is it?"),
            _countries(2),
        ),
        Relation(
            "language", "country", "language",
            ("Which language is spoken in {e}?", "What language do people speak in {e}?",
             "What is the main language of {e}?"),
            ("People in {e} speak {v}.", "The main language of {e} is {v}."),
            ("And its language?", "Which language is spoken there?", "What about the language?"),
            _countries(3),
        ),
        Relation(
            "currency", "country", "currency",
            ("What is the currency of {e}?", "Which money is used in {e}?",
             "What currency does {e} use?"),
            ("The currency of {e} is {v}.",),
            ("And its currency?", "What about the currency?", "Which money is used there?"),
            _countries(4),
        ),
        Relation(
            "city", "city", "country",
            ("In which country is {e}?", "Which country has {e} as its capital?",
             "{e} is the capital of which country?"),
            ("{e} is in {v}.", "{e} is the capital of {v}."),
            (), cities,
        ),
        Relation(
            "class", "animal", "kind",
            ("What kind of animal is {ae}?", "Which class of animal is the {e}?"),
            ("The {e} is {av}.", "{ae} is {av}."),
            ("And what kind of animal is it?", "What kind of animal is it?"),
            _column(ANIMALS, 1),
        ),
        Relation(
            "legs", "animal", "number of legs",
            ("How many legs does {ae} have?", "How many legs has {ae}?"),
            ("The {e} has {v} legs.", "{ae} has {v} legs."),
            ("And how many legs does it have?", "How many legs has it?"),
            _column(ANIMALS, 2),
        ),
        Relation(
            "young", "animal", "young",
            ("What is a young {e} called?", "What do we call a baby {e}?",
             "What is the name for a young {e}?"),
            ("A young {e} is called {av}.", "A baby {e} is called {av}."),
            ("And its young?", "What is its young called?"),
            _column(ANIMALS, 3),
        ),
        Relation(
            "home", "animal", "home",
            ("Where does {ae} live?", "What is the home of the {e}?"),
            ("The home of the {e} is the {v}.",),
            ("And where does it live?", "Where does it live?", "And its home?"),
            _column(ANIMALS, 4),
        ),
        Relation(
            "sound", "animal", "sound",
            ("What sound does {ae} make?", "Which sound does the {e} make?"),
            ("The sound of the {e} is a {v}.",),
            ("And its sound?", "What sound does it make?"),
            _column(ANIMALS, 5),
        ),
        Relation(
            "symbol", "element", "symbol",
            ("What is the chemical symbol for {e}?", "What is the symbol of {e}?",
             "Which symbol stands for {e}?"),
            ("The symbol for {e} is {v}.", "The chemical symbol for {e} is {v}."),
            ("And its symbol?", "What is its symbol?"),
            _column(ELEMENTS, 1),
        ),
        Relation(
            "number", "element", "atomic number",
            ("What is the atomic number of {e}?", "Which atomic number does {e} have?"),
            ("The atomic number of {e} is {v}.",),
            ("And its atomic number?", "What is its atomic number?"),
            _column(ELEMENTS, 2),
        ),
        Relation(
            "element", "symbol", "element",
            ("Which element has the symbol {e}?", "What does the symbol {e} stand for?"),
            ("The symbol {e} stands for {v}.",),
            (), {symbol: name for name, symbol in _column(ELEMENTS, 1).items()},
        ),
        Relation(
            "author", "book", "author",
            ("Who wrote {e}?", "Who is the author of {e}?", "By whom is {e}?"),
            ("{e} was written by {v}.", "The author of {e} is {v}."),
            ("And its author?", "Who wrote it?"),
            _column(BOOKS, 1),
        ),
        Relation(
            "opposite", "opposite", "opposite",
            ("What is the opposite of {e}?", "What is the opposite of the word {e}?",
             "Give the opposite of {e}."),
            ("The opposite of {e} is {v}.",),
            (), opposites,
        ),
        Relation(
            "plural", "plural", "plural",
            ("What is the plural of {e}?", "What is the plural of the word {e}?",
             "Give the plural of {e}."),
            ("The plural of {e} is {v}.",),
            (), _column(PLURALS, 1),
        ),
        Relation(
            "past", "past", "past tense",
            ("What is the past tense of {e}?", "What is the past tense of the verb {e}?",
             "Give the past tense of {e}."),
            ("The past tense of {e} is {v}.",),
            (), _column(PASTS, 1),
        ),
        Relation(
            "definition", "thing", "meaning",
            ("What is {ae}?", "What does the word {e} mean?", "Explain the word {e}.",
             "Define {e}."),
            ("{ae} is {v}.",),
            (), _column(DEFINITIONS, 1),
        ),
        Relation(
            "kind", "kind", "kind",
            ("What kind of thing is {e}?", "What sort of thing is {e}?"),
            ("{e} is a kind of {v}.",),
            (), kinds,
        ),
        Relation(
            "word", "numeral", "word",
            ("How do you write {e} in words?", "How is the number {e} written in words?"),
            ("The number {e} is written {v}.",),
            (), dict(zip(numbers[::2], numbers[1::2], strict=True)),
        ),
        Relation(
            "colour", "colour", "colour",
            ("What is the colour of {e}?", "Which colour is {e}?", "What colour is {e}?"),
            ("The colour of {e} is {v}.",),
            (), _column(COLOURS, 1),
        ),
        Relation(
            "planet", "planet", "place from the Sun",
            ("Which planet from the Sun is {e}?", "What number from the Sun is {e}?"),
            ("{e} is planet number {v} from the Sun.",),
            (), _column(PLANETS, 1),
        ),
        Relation(
            "next_day", "day", "next day",
            ("Which day comes after {e}?", "What day follows {e}?"),
            ("The day after {e} is {v}.",),
            ("And the day after that?",),
            {day: DAYS[(i + 1) % 7] for i, day in enumerate(DAYS)},
        ),
        Relation(
            "next_month", "month", "next month",
            ("Which month comes after {e}?", "What month follows {e}?"),
            ("The month after {e} is {v}.",),
            (),
            {month: MONTHS[(i + 1) % 12] for i, month in enumerate(MONTHS)},
        ),
        Relation(
            "month_days", "month", "number of days",
            ("How many days does {e} have?", "How many days are in {e}?"),
            ("{e} has {v} days.",),
            ("And how many days does it have?",),
            {month: str(days) for month, days in zip(MONTHS, MONTH_DAYS, strict=True)},
        ),
        Relation(
            "sum", "sum", "sum",
            ("What is {e}?", "How much is {e}?", "Add up {e}."),
            ("{e} = {v}.", "{e} is {v}."),
            (), sums,
        ),
    )  # fmt: skip


RELATIONS: tuple[Relation, ...] = _relations()
BY_NAME: dict[str, Relation] = {relation.name: relation for relation in RELATIONS}
FACTS: tuple[Fact, ...] = tuple(
    Fact(relation, entity) for relation in RELATIONS for entity in relation.values
)
ASKABLE: tuple[Fact, ...] = tuple(fact for fact in FACTS if not fact.held_out)


def siblings(fact: Fact) -> list[Relation]:
    """Other relations of the same topic that know this entity: what "And its ...?" may ask."""
    return [
        relation
        for relation in RELATIONS
        if relation.topic == fact.relation.topic
        and relation is not fact.relation
        and fact.entity in relation.values
    ]


if __name__ == "__main__":
    for relation in RELATIONS:
        held = sum(Fact(relation, entity).held_out for entity in relation.values)
        print(f"{relation.name:12} {len(relation.values):4} facts, {held:3} held out")
    print(f"{'all':12} {len(FACTS):4} facts, {len(FACTS) - len(ASKABLE):3} held out")
