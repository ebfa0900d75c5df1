"""Facts about English words: opposites, plurals, past tenses, rhymes, spelling, and the like.

Most tables hold one entry a word, `word|value|other right values`, several entries a line. Regular
forms are built by their rule from plain word lists, so that a list cannot disagree with its rule.
"""

# ruff: noqa: SIM905 - word tables read better as text than as lists of quoted words
from __future__ import annotations

from collections import Counter
from itertools import pairwise

from relations import Relation

# Used in both directions; every word stands here once.
OPPOSITES = """
hot|cold big|small tall|short fast|slow old|young happy|sad light|dark day|night up|down left|right
open|closed full|empty rich|poor strong|weak hard|soft wet|dry clean|dirty early|late near|far high|low
loud|quiet good|bad thick|thin wide|narrow deep|shallow sharp|blunt smooth|rough sweet|bitter
cheap|expensive safe|dangerous easy|difficult true|false first|last begin|end buy|sell give|take win|lose
push|pull love|hate laugh|cry arrive|leave remember|forget inside|outside above|below before|after
always|never front|back friend|enemy question|answer war|peace north|south east|west winter|summer
brave|cowardly lazy|diligent polite|rude guilty|innocent ancient|modern black|white male|female
alive|dead awake|asleep add|subtract multiply|divide accept|reject admit|deny allow|forbid
appear|disappear attack|defend beautiful|ugly believe|doubt best|worst better|worse birth|death
bless|curse bold|timid borrow|lend bottom|top bright|dim build|destroy busy|idle capture|release
careful|careless ceiling|floor cause|effect chaos|order clever|stupid combine|separate comedy|tragedy
common|rare complex|simple conceal|reveal cool|warm cruel|kind curved|straight dawn|dusk debit|credit
decrease|increase defeat|victory deposit|withdraw different|same despair|hope drunk|sober
employer|employee encourage|discourage enter|exit even|odd export|import exterior|interior fact|fiction
fail|succeed failure|success few|many follow|lead foolish|wise foreign|native forward|backward
fresh|stale freeze|melt future|past gain|loss general|specific generous|stingy gentle|harsh giant|dwarf
guest|host heaven|hell hero|villain honest|dishonest horizontal|vertical humble|proud include|exclude
inhale|exhale insult|compliment joy|sorrow junior|senior knowledge|ignorance large|little loose|tight
lower|raise loyal|disloyal major|minor majority|minority maximum|minimum mature|immature more|less
most|least natural|artificial noisy|silent obey|disobey offline|online on|off over|under
optimist|pessimist parent|child patient|impatient permanent|temporary plus|minus plural|singular
positive|negative possible|impossible powerful|powerless present|absent private|public pure|impure
regular|irregular reward|punish rise|fall rural|urban save|spend scatter|gather seldom|often
sick|healthy sink|float sit|stand start|stop student|teacher sunrise|sunset superior|inferior tame|wild
tiny|huge together|apart tidy|messy to|from transparent|opaque trust|distrust truth|lie useful|useless
vacant|occupied visible|invisible wax|wane with|without yes|no agree|disagree like|dislike lock|unlock
pack|unpack tie|untie dress|undress wrap|unwrap load|unload fold|unfold plug|unplug zip|unzip
connect|disconnect lucky|unlucky fair|unfair known|unknown able|unable aware|unaware certain|uncertain
comfortable|uncomfortable equal|unequal familiar|unfamiliar friendly|unfriendly likely|unlikely
pleasant|unpleasant popular|unpopular stable|unstable usual|unusual willing|unwilling legal|illegal
legible|illegible logical|illogical literate|illiterate moral|immoral mortal|immortal perfect|imperfect
correct|incorrect complete|incomplete direct|indirect capable|incapable accurate|inaccurate
active|passive formal|informal sane|insane finite|infinite relevant|irrelevant
responsible|irresponsible harmful|harmless hopeful|hopeless painful|painless inner|outer
indoors|outdoors upstairs|downstairs uphill|downhill ahead|behind here|there everything|nothing
everybody|nobody everywhere|nowhere all|none arrival|departure ascend|descend amateur|professional
abundant|scarce advance|retreat expand|contract attract|repel concave|convex eastern|western
northern|southern flexible|rigid gradual|sudden introvert|extrovert inward|outward predator|prey
pride|shame shorten|lengthen strengthen|weaken tighten|loosen supply|demand debtor|creditor
landlord|tenant winner|loser buyer|seller virtue|vice wealth|poverty strength|weakness
"""

# Used in this direction only: the value has a better known opposite of its own.
OPPOSITES_ONE_WAY = "long|short heavy|light wrong|right quick|slow fat|thin glad|sad vague|clear"

OPPOSITES_ALSO = """
short|long light|heavy right|wrong thin|fat sad|glad active|inactive sweet|sour present|past kind|unkind
stupid|smart healthy|unhealthy small|large little|big leave|stay gentle|rough dry|damp clever|foolish
difficult|simple large|small old|new soft|loud hard|easy cool|hot start|finish start|end begin|finish
full|hungry rough|gentle bright|dark bright|dull child|adult even|uneven
"""

PLURALS = """
child|children mouse|mice goose|geese tooth|teeth foot|feet man|men woman|women ox|oxen person|people
louse|lice leaf|leaves knife|knives wife|wives life|lives wolf|wolves shelf|shelves loaf|loaves
half|halves thief|thieves calf|calves elf|elves self|selves policeman|policemen fireman|firemen
fisherman|fishermen snowman|snowmen gentleman|gentlemen postman|postmen grandchild|grandchildren
housewife|housewives bookshelf|bookshelves crisis|crises oasis|oases basis|bases analysis|analyses
thesis|theses axis|axes hypothesis|hypotheses diagnosis|diagnoses fungus|fungi nucleus|nuclei
radius|radii stimulus|stimuli cactus|cacti bacterium|bacteria phenomenon|phenomena criterion|criteria
larva|larvae sheep|sheep deer|deer fish|fish salmon|salmon trout|trout aircraft|aircraft series|series
species|species moose|moose spacecraft|spacecraft roof|roofs chief|chiefs cliff|cliffs belief|beliefs
proof|proofs reef|reefs giraffe|giraffes stomach|stomachs monarch|monarchs quiz|quizzes
"""

PLURALS_ALSO = """
fish|fishes cactus|cactuses person|persons radius|radiuses fungus|funguses penny|pence
"""

PLURALS_IES = """
city baby lady story berry party country family fly cherry puppy pony army enemy body copy daisy diary
lorry penny spy factory library memory century battery butterfly strawberry hobby jelly bakery
"""

PLURALS_ES = """
box fox bus glass dish bench church watch brush tax class dress kiss cross boss peach beach branch witch
match lunch inch torch bush wish ash lash sandwich potato tomato hero echo
"""

PLURALS_S = """
piano photo radio zoo key toy boy day monkey donkey valley cat dog cow horse bird tree house book car
door window table chair spoon fork plate cup bottle garden flower apple banana lemon pear carrot onion
school teacher doctor farmer sailor king queen brother sister friend river mountain island lake road
bridge village hat coat shoe shirt sock ring clock lamp bed pillow pen pencil letter song game ball
train boat ship plane wheel engine cloud star planet hand finger nose eye ear arm leg heart bone tiger
lion bear eagle duck frog snake spider ant bee shark whale hammer nail rope ladder bucket basket candle
"""

PASTS = """
go|went see|saw eat|ate drink|drank take|took give|gave come|came run|ran write|wrote speak|spoke
break|broke choose|chose drive|drove ride|rode rise|rose fall|fell fly|flew grow|grew know|knew
throw|threw draw|drew begin|began sing|sang swim|swam ring|rang sink|sank find|found hold|held keep|kept
sleep|slept feel|felt leave|left lose|lost build|built send|sent spend|spent bring|brought buy|bought
think|thought catch|caught teach|taught fight|fought sell|sold tell|told hear|heard make|made say|said
pay|paid win|won stand|stood sit|sat read|read meet|met forget|forgot wear|wore hide|hid bite|bit
freeze|froze steal|stole wake|woke become|became blow|blew bend|bent bleed|bled breed|bred cling|clung
creep|crept cut|cut deal|dealt dig|dug do|did feed|fed flee|fled fling|flung forbid|forbade
forgive|forgave get|got grind|ground have|had hit|hit hurt|hurt lay|laid lead|led lend|lent let|let
mean|meant put|put quit|quit seek|sought set|set shake|shook shoot|shot shut|shut slide|slid spin|spun
split|split spread|spread stick|stuck sting|stung strike|struck swear|swore sweep|swept swing|swung
tear|tore understand|understood weep|wept wind|wound undo|undid overcome|overcame withdraw|withdrew
mistake|mistook foresee|foresaw rebuild|rebuilt cost|cost cast|cast burst|burst bind|bound
"""

PASTS_ED = """
walk talk jump play work help look ask call open clean cook climb paint plant rain snow start
finish wash watch want need listen follow answer laugh kick lift pull push pick pack wait visit
"""
PASTS_D = "live love like hope move close use bake dance smile arrive invite taste change share save joke"
PASTS_IED = "cry try carry study hurry marry copy worry fry bury"
PASTS_DOUBLED = "stop plan drop clap hug rub beg grab nod step trip slip chat"

# Each word rhymes with the rest of its line.
RHYMES = """
cat hat bat mat rat
dog frog log fog
king ring sing wing
tree bee sea key
night light kite right
day play way hay
moon spoon soon noon
house mouse
book cook hook look
ball wall tall fall
rain train plane chain
boat goat coat note
cake lake snake rake
star car jar far
bed red head bread
fish dish wish
sun run bun fun
bell shell well smell
bear chair hair pear
rose nose toes
fox box socks
hen pen ten men
pig wig big dig
sock clock rock lock
mice rice ice dice
gold cold old hold bold fold
sand hand land band
nest best west vest
hill mill pill bill
duck truck luck
snow low crow toe
door floor four
blue shoe two zoo
nail snail tail whale
ship lip chip trip
feet meat street sheet
green queen bean
pink drink sink
cap map nap lap
pot hot dot
bug rug mug hug
fire wire tyre
brown town crown clown
cheese knees trees please
bone stone phone throne
nine line vine pine
five hive dive
heart art cart
wheel meal seal steal
sky pie fly
horn corn thorn
"""

SYNONYMS = """
big|large|huge small|little|tiny happy|glad|joyful sad|unhappy|sorrowful fast|quick|rapid
begin|start|commence end|finish|conclude angry|cross|furious smart|clever|intelligent pretty|beautiful
rich|wealthy sick|ill|unwell shut|close silent|quiet brave|courageous|bold tired|weary|exhausted
hard|difficult easy|simple odd|strange|unusual scared|afraid|frightened shy|timid
present|gift house|home job|work|occupation error|mistake reply|answer|respond speak|talk shout|yell
buy|purchase help|aid|assist try|attempt hide|conceal|cover keep|retain choose|select|pick
repair|mend|fix throw|toss|hurl jump|leap cry|weep look|gaze|watch taste|flavour
smell|scent|odour stone|rock road|street sea|ocean wood|forest coat|jacket boat|vessel
child|kid|youngster friend|companion|pal enemy|foe doctor|physician lawyer|attorney teacher|instructor
pupil|student author|writer king|monarch robber|thief thief|robber
money|cash price|cost whole|entire|complete empty|vacant wealthy|rich famous|well-known
correct|right wrong|incorrect|false true|correct real|genuine|actual
safe|secure dangerous|risky|unsafe rude|impolite polite|courteous|civil kind|caring|friendly
mean|unkind|nasty cruel|brutal lucky|fortunate strong|powerful|mighty weak|feeble|frail
fat|plump thin|slim|lean wide|broad narrow|slender tall|high near|close far|distant
noisy|loud calm|peaceful|tranquil wet|damp|soaked dirty|filthy|unclean clean|spotless
bright|shiny dark|dim|gloomy cold|chilly old|aged|ancient new|modern|fresh
young|youthful ancient|old foolish|silly|stupid wise|sensible lazy|idle busy|occupied
honest|truthful funny|amusing|humorous boring|dull|tedious interesting|fascinating
important|significant|vital strange|odd|peculiar common|usual|ordinary rare|scarce|uncommon
perhaps|maybe often|frequently rarely|seldom always|forever quickly|rapidly|fast
almost|nearly enough|sufficient allow|permit|let forbid|ban|prohibit destroy|ruin|wreck build|construct
collect|gather show|display|demonstrate ask|inquire|enquire tell|inform|say think|believe|ponder
understand|comprehend|grasp want|desire|wish need|require like|enjoy love|adore hate|detest|loathe
find|discover|locate get|obtain|receive lift|raise fall|drop|tumble pull|drag|tug
push|shove cut|slice|chop break|smash|shatter stop|halt|cease stay|remain leave|depart|exit
hurry|rush wander|roam happen|occur trip|journey journey|voyage|trip
story|tale tale|story fight|battle battle|fight|combat peak|summit top|summit|peak centre|middle
edge|border|rim piece|part|bit hole|gap|opening rubbish|trash|garbage luggage|baggage sofa|couch
film|movie autumn|fall aeroplane|plane|aircraft bicycle|bike picture|image loyal|faithful
sufficient|enough purchase|buy assist|help vanish|disappear rapid|fast|quick enormous|huge|gigantic
"""

COMPARATIVES = """
good|better|best bad|worse|worst many|more|most big|bigger|biggest hot|hotter|hottest
wet|wetter|wettest thin|thinner|thinnest fat|fatter|fattest sad|sadder|saddest fit|fitter|fittest
"""
COMPARATIVES_ER = """
tall short fast slow old young high low deep long strong weak hard soft cold warm cool rich poor small
near dark light bright clean loud quick cheap sweet sharp smooth rough thick kind new great weird
"""
COMPARATIVES_R = "large nice wide late brave wise safe strange close rare fine"
COMPARATIVES_IER = """
happy heavy easy early dirty lazy busy funny pretty noisy hungry angry tidy lucky ugly tiny dry windy
sunny cloudy healthy wealthy
"""
COMPARATIVES_MORE = """
beautiful dangerous expensive difficult important careful famous interesting useful popular comfortable
"""

# male|female, used in both directions
COUNTERPARTS = """
king|queen prince|princess duke|duchess emperor|empress actor|actress waiter|waitress host|hostess
hero|heroine lion|lioness tiger|tigress god|goddess father|mother brother|sister son|daughter uncle|aunt
nephew|niece grandfather|grandmother husband|wife boy|girl man|woman bull|cow rooster|hen ram|ewe
stallion|mare boar|sow stag|doe bridegroom|bride widower|widow wizard|witch monk|nun lord|lady
baron|baroness count|countess heir|heiress stepfather|stepmother grandson|granddaughter
landlord|landlady policeman|policewoman businessman|businesswoman godfather|godmother
"""

VERBS = "run eat sing jump read write sleep walk swim dance"
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

LISTS: dict[str, list[str]] = {
    "verbs": VERBS.split(),
    "adjectives": "big small happy sad hot cold old young".split(),
    "adverbs": "quickly slowly loudly softly often never".split(),
    "pronouns": "I you he she it we they".split(),
    "prepositions": "in on under over with from".split(),
    "vowels": "A E I O U".split(),
    "consonants": "B C D F G H".split(),
    "family members": "mother father brother sister uncle aunt".split(),
    "question words": "who what where when why how".split(),
}


def pairs(table: str, index: int = 1) -> dict[str, str]:
    """Field `index` of each `word|value|...` entry by its first field."""
    entries = (entry.split("|") for entry in table.split())
    return {fields[0]: fields[index] for fields in entries}


def others(table: str, first: int) -> dict[str, tuple[str, ...]]:
    """The fields from `first` on of each entry that has any; entries of one word are joined."""
    found: dict[str, tuple[str, ...]] = {}
    for entry in table.split():
        word, *rest = entry.split("|")
        if rest[first - 1 :]:
            found[word] = found.get(word, ()) + tuple(rest[first - 1 :])
    return found


def both_ways(values: dict[str, str]) -> dict[str, str]:
    return values | {value: word for word, value in values.items()}


def _plurals() -> dict[str, str]:
    regular = {word: word[:-1] + "ies" for word in PLURALS_IES.split()}
    regular |= {word: word + "es" for word in PLURALS_ES.split()}
    regular |= {word: word + "s" for word in PLURALS_S.split()}
    return pairs(PLURALS) | regular


def _pasts() -> dict[str, str]:
    regular = {verb: verb + "ed" for verb in PASTS_ED.split()}
    regular |= {verb: verb + "d" for verb in PASTS_D.split()}
    regular |= {verb: verb[:-1] + "ied" for verb in PASTS_IED.split()}
    regular |= {verb: verb + verb[-1] + "ed" for verb in PASTS_DOUBLED.split()}
    return pairs(PASTS) | regular


def _comparatives() -> dict[str, str]:
    """The comparative of every adjective."""
    comparatives = pairs(COMPARATIVES)
    comparatives |= {base: base + "er" for base in COMPARATIVES_ER.split()}
    comparatives |= {base: base[:-1] + "er" for base in COMPARATIVES_R.split()}
    comparatives |= {base: base[:-1] + "ier" for base in COMPARATIVES_IER.split()}
    return comparatives | {base: f"more {base}" for base in COMPARATIVES_MORE.split()}


def _rhymes() -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Every word with its neighbour in the family, and the rest of the family."""
    values: dict[str, str] = {}
    also: dict[str, tuple[str, ...]] = {}
    for line in RHYMES.strip().splitlines():
        family = line.split()
        for word, other in zip(family, family[1:] + family[:1], strict=True):
            values[word] = other
            also[word] = tuple(rest for rest in family if rest not in (word, other))
    return values, also


def _relations() -> tuple[Relation, ...]:
    rhymes, rhymes_also = _rhymes()
    male_to_female = pairs(COUNTERPARTS)
    return (
        Relation(
            "opposite", "word", "opposite",
            ("What is the opposite of {e}?", "What is the opposite of the word {e}?",
             "Give the opposite of {e}.", "Which word means the opposite of {e}?"),
            ("The opposite of {e} is {v}.", "The word {v} is the opposite of {e}."),
            both_ways(pairs(OPPOSITES)) | pairs(OPPOSITES_ONE_WAY),
            ("And its opposite?", "What is its opposite?"),
            others(OPPOSITES_ALSO, 1),
        ),
        Relation(
            "plural", "word", "plural",
            ("What is the plural of {e}?", "What is the plural of the word {e}?",
             "Give the plural of {e}."),
            ("The plural of {e} is {v}.", "The word {e} becomes {v} in the plural."),
            _plurals(),
            ("And its plural?", "What is its plural?"),
            others(PLURALS_ALSO, 1),
        ),
        Relation(
            "past", "word", "past tense",
            ("What is the past tense of {e}?", "What is the past tense of the verb {e}?",
             "Give the past tense of {e}."),
            ("The past tense of {e} is {v}.", "The verb {e} becomes {v} in the past tense."),
            _pasts(),
            ("And its past tense?", "What is its past tense?"),
        ),
        Relation(
            "rhyme", "word", "rhyme",
            ("Which word rhymes with {e}?", "What rhymes with {e}?",
             "Give a word that rhymes with {e}."),
            ("The word {e} rhymes with {v}.", "A word that rhymes with {e} is {v}."),
            rhymes,
            ("And a rhyme for it?", "What rhymes with it?"),
            rhymes_also,
        ),
        Relation(
            "synonym", "word", "synonym",
            ("What is another word for {e}?", "What is a synonym of {e}?",
             "Which word means the same as {e}?"),
            ("The word {e} means the same as {v}.", "Another word for {e} is {v}."),
            pairs(SYNONYMS),
            ("And another word for it?", "What is another word for it?"),
            others(SYNONYMS, 2),
        ),
        Relation(
            "comparative", "word", "comparative",
            ("What is the comparative of {e}?", "What is the comparative form of {e}?",
             "Give the comparative of {e}."),
            ("The comparative of {e} is {v}.",),
            _comparatives(),
            ("And its comparative?", "What is its comparative?"),
        ),
        Relation(
            "female", "word", "female counterpart",
            ("What is the female counterpart of {e}?", "Which word is the female form of {e}?"),
            ("The female counterpart of {e} is {v}.",),
            male_to_female,
            ("And the female counterpart?",),
        ),
        Relation(
            "male", "word", "male counterpart",
            ("What is the male counterpart of {e}?", "Which word is the male form of {e}?"),
            ("The male counterpart of {e} is {v}.",),
            {female: male for male, female in male_to_female.items()},
            ("And the male counterpart?",),
        ),
        Relation(
            "letter_after", "letter", "next letter",
            ("Which letter comes after {e}?", "What letter follows {e} in the alphabet?"),
            ("The letter after {e} is {v}.",),
            dict(pairwise(ALPHABET)),
            ("And the letter after it?",),
        ),
        Relation(
            "letter_before", "letter", "letter before",
            ("Which letter comes before {e}?", "What letter stands before {e} in the alphabet?"),
            ("The letter before {e} is {v}.",),
            dict(pairwise(ALPHABET[::-1])),
            ("And the letter before it?",),
        ),
    )  # fmt: skip


RELATIONS: tuple[Relation, ...] = _relations()


def check_tables() -> None:
    """Refuse a word that one kind of table has twice: one of the two entries would be lost."""
    for tables in (
        (OPPOSITES.replace("|", " "), OPPOSITES_ONE_WAY), (RHYMES,), (SYNONYMS,),
        (PLURALS, PLURALS_IES, PLURALS_ES, PLURALS_S), (PASTS, PASTS_ED, PASTS_D, PASTS_IED, PASTS_DOUBLED),
        (COUNTERPARTS.replace("|", " "),),
        (COMPARATIVES, COMPARATIVES_ER, COMPARATIVES_R, COMPARATIVES_IER),
    ):  # fmt: skip
        words = Counter(entry.split("|")[0] for table in tables for entry in table.split())
        assert not [word for word, count in words.items() if count > 1], words.most_common(3)
