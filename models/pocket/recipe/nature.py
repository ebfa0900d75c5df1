"""Facts of nature: animals, chemical elements, planets, the body, plants, colours and materials.

The tables are common knowledge, written down by hand; one row a line, fields split by `|`, and a `-`
where a field is doubtful or has more than one right value.
"""

# ruff: noqa: SIM905 - word tables read better as text than as lists of quoted words
from __future__ import annotations

from relations import UNCOUNTABLE, Relation, column, rows

# animal | class | legs | young | home | sound | food (h, c or o) | covering
ANIMALS = """
dog|mammal|4|puppy|house|bark|-|fur
cat|mammal|4|kitten|house|meow|c|fur
cow|mammal|4|calf|farm|moo|h|hair
horse|mammal|4|foal|stable|neigh|h|hair
sheep|mammal|4|lamb|meadow|bleat|h|wool
goat|mammal|4|kid|farm|bleat|h|hair
pig|mammal|4|piglet|farm|oink|o|bristles
lion|mammal|4|cub|savanna|roar|c|fur
tiger|mammal|4|cub|jungle|roar|c|fur
leopard|mammal|4|cub|-|-|c|fur
cheetah|mammal|4|cub|savanna|-|c|fur
jaguar|mammal|4|cub|rainforest|-|c|fur
puma|mammal|4|cub|-|-|c|fur
lynx|mammal|4|kitten|forest|-|c|fur
bear|mammal|4|cub|forest|growl|o|fur
polar bear|mammal|4|cub|Arctic|-|c|fur
panda|mammal|4|cub|bamboo forest|-|-|fur
wolf|mammal|4|pup|forest|howl|c|fur
fox|mammal|4|kit|den|-|o|fur
coyote|mammal|4|pup|-|howl|o|fur
jackal|mammal|4|pup|-|-|o|fur
hyena|mammal|4|cub|savanna|laugh|c|fur
weasel|mammal|4|kit|-|-|c|fur
ferret|mammal|4|kit|-|-|c|fur
badger|mammal|4|cub|sett|-|o|fur
skunk|mammal|4|kit|-|-|o|fur
raccoon|mammal|4|kit|forest|-|o|fur
otter|mammal|4|pup|river|-|c|fur
beaver|mammal|4|kit|lodge|-|h|fur
deer|mammal|4|fawn|forest|-|h|hair
moose|mammal|4|calf|forest|-|h|hair
reindeer|mammal|4|calf|tundra|-|h|hair
antelope|mammal|4|calf|savanna|-|h|hair
gazelle|mammal|4|fawn|savanna|-|h|hair
bison|mammal|4|calf|prairie|-|h|hair
buffalo|mammal|4|calf|-|-|h|hair
yak|mammal|4|calf|mountains|grunt|h|hair
rabbit|mammal|4|kit|burrow|-|h|fur
hare|mammal|4|leveret|meadow|-|h|fur
mouse|mammal|4|pup|hole|squeak|o|fur
rat|mammal|4|pup|-|squeak|o|fur
hamster|mammal|4|pup|burrow|-|o|fur
guinea pig|mammal|4|pup|-|-|h|fur
squirrel|mammal|4|kit|tree|-|-|fur
chipmunk|mammal|4|-|burrow|-|o|fur
marmot|mammal|4|pup|burrow|whistle|h|fur
mole|mammal|4|pup|tunnel|-|-|fur
shrew|mammal|4|-|-|-|-|fur
hedgehog|mammal|4|hoglet|garden|-|-|spines
porcupine|mammal|4|porcupette|-|-|h|quills
elephant|mammal|4|calf|savanna|trumpet|h|skin
giraffe|mammal|4|calf|savanna|-|h|hair
zebra|mammal|4|foal|savanna|-|h|hair
rhinoceros|mammal|4|calf|savanna|-|h|skin
hippopotamus|mammal|4|calf|river|-|h|skin
camel|mammal|4|calf|desert|-|h|hair
llama|mammal|4|cria|mountains|-|h|wool
alpaca|mammal|4|cria|mountains|-|h|wool
donkey|mammal|4|foal|farm|bray|h|hair
wild boar|mammal|4|piglet|forest|grunt|o|bristles
warthog|mammal|4|piglet|savanna|-|o|-
kangaroo|mammal|-|joey|grassland|-|h|fur
wallaby|mammal|-|joey|grassland|-|h|fur
koala|mammal|-|joey|eucalyptus tree|-|h|fur
wombat|mammal|4|joey|burrow|-|h|fur
opossum|mammal|4|joey|-|-|o|fur
platypus|mammal|4|-|river|-|c|fur
anteater|mammal|4|pup|-|-|-|fur
armadillo|mammal|4|pup|burrow|-|-|-
sloth|mammal|-|-|rainforest|-|-|fur
meerkat|mammal|4|pup|desert|-|-|fur
mongoose|mammal|4|pup|-|-|-|fur
monkey|mammal|-|infant|jungle|chatter|o|fur
gorilla|mammal|-|infant|rainforest|-|h|fur
chimpanzee|mammal|-|infant|rainforest|-|o|fur
orangutan|mammal|-|infant|rainforest|-|-|fur
baboon|mammal|-|infant|savanna|-|o|fur
lemur|mammal|-|-|forest|-|-|fur
bat|mammal|2|pup|cave|screech|-|fur
whale|mammal|0|calf|ocean|song|c|skin
dolphin|mammal|0|calf|ocean|click|c|skin
porpoise|mammal|0|calf|ocean|-|c|skin
orca|mammal|0|calf|ocean|-|c|skin
seal|mammal|-|pup|sea|bark|c|fur
sea lion|mammal|-|pup|sea|bark|c|fur
walrus|mammal|-|calf|Arctic|-|c|skin
manatee|mammal|0|calf|-|-|h|skin
hen|bird|2|chick|farm|cluck|o|feathers
rooster|bird|2|-|farm|crow|o|feathers
duck|bird|2|duckling|pond|quack|o|feathers
goose|bird|2|gosling|farm|honk|h|feathers
swan|bird|2|cygnet|lake|-|-|feathers
turkey|bird|2|poult|farm|gobble|o|feathers
eagle|bird|2|eaglet|mountains|scream|c|feathers
hawk|bird|2|eyas|-|screech|c|feathers
falcon|bird|2|eyas|cliff|-|c|feathers
vulture|bird|2|chick|-|-|c|feathers
owl|bird|2|owlet|forest|hoot|c|feathers
crow|bird|2|chick|-|caw|o|feathers
raven|bird|2|chick|-|croak|o|feathers
magpie|bird|2|chick|-|chatter|o|feathers
parrot|bird|2|chick|jungle|squawk|-|feathers
toucan|bird|2|chick|rainforest|-|-|feathers
peacock|bird|2|peachick|-|scream|o|feathers
penguin|bird|2|chick|ice|-|c|feathers
ostrich|bird|2|chick|savanna|-|-|feathers
emu|bird|2|chick|grassland|-|o|feathers
kiwi|bird|2|chick|forest|-|o|feathers
pigeon|bird|2|squab|city|coo|-|feathers
dove|bird|2|squab|-|coo|h|feathers
robin|bird|2|chick|garden|chirp|-|feathers
sparrow|bird|2|chick|garden|chirp|-|feathers
blackbird|bird|2|chick|garden|song|o|feathers
swallow|bird|2|chick|barn|-|-|feathers
nightingale|bird|2|chick|woods|song|-|feathers
woodpecker|bird|2|chick|forest|-|-|feathers
kingfisher|bird|2|chick|river|-|c|feathers
cuckoo|bird|2|chick|woods|-|-|feathers
canary|bird|2|chick|-|song|-|feathers
stork|bird|2|chick|marsh|clatter|c|feathers
heron|bird|2|chick|marsh|-|c|feathers
crane|bird|2|chick|marsh|-|o|feathers
flamingo|bird|2|chick|lagoon|-|-|feathers
pelican|bird|2|chick|coast|-|c|feathers
seagull|bird|2|chick|coast|squawk|-|feathers
albatross|bird|2|chick|ocean|-|c|feathers
puffin|bird|2|puffling|cliff|-|c|feathers
hummingbird|bird|2|chick|-|hum|-|feathers
quail|bird|2|chick|field|-|-|feathers
pheasant|bird|2|chick|field|-|o|feathers
frog|amphibian|4|tadpole|pond|croak|c|skin
toad|amphibian|4|tadpole|garden|croak|c|skin
newt|amphibian|4|larva|pond|-|c|skin
salamander|amphibian|4|larva|-|-|c|skin
snake|reptile|0|snakelet|-|hiss|c|scales
cobra|reptile|0|-|-|hiss|c|scales
python|reptile|0|-|jungle|hiss|c|scales
viper|reptile|0|-|-|hiss|c|scales
lizard|reptile|4|hatchling|-|-|-|scales
iguana|reptile|4|hatchling|-|-|h|scales
gecko|reptile|4|hatchling|-|chirp|-|scales
chameleon|reptile|4|hatchling|tree|-|-|scales
Komodo dragon|reptile|4|hatchling|-|hiss|c|scales
turtle|reptile|4|hatchling|-|-|-|shell
tortoise|reptile|4|hatchling|-|-|h|shell
crocodile|reptile|4|hatchling|river|-|c|scales
alligator|reptile|4|hatchling|swamp|bellow|c|scales
shark|fish|0|pup|ocean|-|c|scales
ray|fish|0|pup|ocean|-|c|-
salmon|fish|0|fry|river|-|c|scales
trout|fish|0|fry|river|-|c|scales
tuna|fish|0|fry|ocean|-|c|scales
cod|fish|0|fry|ocean|-|c|scales
carp|fish|0|fry|pond|-|o|scales
herring|fish|0|fry|ocean|-|-|scales
sardine|fish|0|fry|ocean|-|-|scales
mackerel|fish|0|fry|ocean|-|c|scales
pike|fish|0|fry|lake|-|c|scales
perch|fish|0|fry|lake|-|c|scales
eel|fish|0|elver|river|-|c|-
goldfish|fish|0|fry|pond|-|o|scales
piranha|fish|0|fry|river|-|-|scales
swordfish|fish|0|-|ocean|-|c|-
clownfish|fish|0|-|coral reef|-|o|scales
seahorse|fish|0|fry|sea|-|c|-
ant|insect|6|larva|anthill|-|-|-
bee|insect|6|larva|hive|buzz|h|hair
bumblebee|insect|6|larva|nest|buzz|h|hair
wasp|insect|6|larva|nest|buzz|-|-
hornet|insect|6|larva|nest|buzz|-|-
fly|insect|6|maggot|-|buzz|-|-
mosquito|insect|6|larva|-|whine|-|-
butterfly|insect|6|caterpillar|meadow|-|h|-
moth|insect|6|caterpillar|-|-|h|-
beetle|insect|6|larva|-|-|-|-
ladybird|insect|6|larva|garden|-|-|-
firefly|insect|6|larva|-|-|-|-
dragonfly|insect|6|nymph|pond|-|c|-
cricket|insect|6|nymph|-|chirp|o|-
grasshopper|insect|6|nymph|meadow|chirp|h|-
locust|insect|6|nymph|-|-|h|-
cicada|insect|6|nymph|tree|-|h|-
cockroach|insect|6|nymph|-|-|o|-
termite|insect|6|nymph|mound|-|-|-
flea|insect|6|larva|fur|-|-|-
louse|insect|6|nymph|hair|-|-|-
earwig|insect|6|nymph|-|-|o|-
mantis|insect|6|nymph|-|-|c|-
spider|arachnid|8|spiderling|web|-|c|-
tarantula|arachnid|8|spiderling|burrow|-|c|hair
scorpion|arachnid|8|-|desert|-|c|-
tick|arachnid|8|-|-|-|-|-
crab|crustacean|10|-|sea|-|-|shell
lobster|crustacean|10|-|sea|-|-|shell
shrimp|crustacean|10|-|sea|-|-|shell
snail|mollusc|0|-|garden|-|-|shell
slug|mollusc|0|-|garden|-|-|-
octopus|mollusc|-|-|sea|-|c|skin
squid|mollusc|-|-|ocean|-|c|skin
oyster|mollusc|0|-|sea|-|-|shell
mussel|mollusc|0|-|-|-|-|shell
clam|mollusc|0|-|sand|-|-|shell
"""
# Words for hair that are as right as the stated one.
HAIR = {"fur": ("hair",), "hair": ("fur",), "wool": ("fleece", "hair"), "bristles": ("hair",)}
# Homes that are as right as the stated one, whatever the animal.
SAME_HOME = {
    "ocean": ("sea",),
    "sea": ("ocean",),
    "jungle": ("rainforest", "forest"),
    "rainforest": ("jungle", "forest"),
    "forest": ("woods",),
    "woods": ("forest",),
    "savanna": ("grassland",),
    "grassland": ("savanna",),
    "prairie": ("grassland",),
}
FOODS = {"h": "herbivore", "c": "carnivore", "o": "omnivore"}

# Values that are as right as the stated one.
ALSO_YOUNG = """
dog|pup,whelp
horse|filly,colt
wolf|cub,whelp
fox|cub,pup
rabbit|bunny,kitten
badger|kit
beaver|kitten
raccoon|cub
squirrel|pup,kitten
deer|calf
hen|pullet
eel|larva
lynx|cub,kit
frog|froglet
toad|toadlet
pig|shoat
monkey|baby
snake|hatchling
dragonfly|larva
beetle|grub
newt|eft
gazelle|calf
gorilla|baby
crow|nestling
whale|baby
"""
ALSO_HOME = """
dog|kennel
cow|meadow,field,shed
sheep|farm,field
goat|mountains,hills
pig|sty
lion|grassland
tiger|forest,rainforest
wolf|den
fox|forest,burrow
bear|cave,den
badger|burrow,forest
beaver|river,dam
rabbit|warren,meadow,field
mouse|burrow,house,field
squirrel|drey,forest,nest
bat|roost
bee|nest
hen|coop,henhouse
duck|lake,river,farm
goose|pond,lake
swan|pond,river
pigeon|loft,dovecote
eagle|eyrie,nest
penguin|Antarctica,sea
dolphin|sea
whale|sea
shark|sea
seal|ocean,coast,ice
salmon|sea,ocean
tuna|sea
cod|sea
herring|sea
crab|beach,ocean
otter|holt,sea,den
horse|farm,meadow,field
donkey|stable
crocodile|swamp
ant|nest,colony
monkey|rainforest,forest
parrot|rainforest,forest
"""
ALSO_SOUND = """
dog|woof
cow|low
cat|purr,mew
horse|whinny
pig|grunt
sheep|baa
goat|baa
bear|roar
crow|croak
robin|song
donkey|hee-haw
frog|ribbit
owl|screech
mouse|peep
lion|growl
tiger|growl
dolphin|whistle
hen|cackle
"""

# plural of an animal | word for a group of them
GROUPS = """
lions|pride
wolves|pack
geese|gaggle
cows|herd
elephants|herd
sheep|flock
birds|flock
fish|school
bees|swarm
ants|colony
crows|murder
whales|pod
dolphins|pod
kittens|litter
puppies|litter
owls|parliament
locusts|swarm
chickens|flock
horses|herd
deer|herd
penguins|colony
monkeys|troop
gorillas|troop
zebras|herd
hounds|pack
camels|caravan
kangaroos|mob
larks|exaltation
ravens|unkindness
oxen|team
"""

# element | symbol | atomic number | kind | state at room temperature
ELEMENTS = """
hydrogen|H|1|nonmetal|gas
helium|He|2|noble gas|gas
lithium|Li|3|metal|solid
beryllium|Be|4|metal|solid
boron|B|5|metalloid|solid
carbon|C|6|nonmetal|solid
nitrogen|N|7|nonmetal|gas
oxygen|O|8|nonmetal|gas
fluorine|F|9|nonmetal|gas
neon|Ne|10|noble gas|gas
sodium|Na|11|metal|solid
magnesium|Mg|12|metal|solid
aluminium|Al|13|metal|solid
silicon|Si|14|metalloid|solid
phosphorus|P|15|nonmetal|solid
sulfur|S|16|nonmetal|solid
chlorine|Cl|17|nonmetal|gas
argon|Ar|18|noble gas|gas
potassium|K|19|metal|solid
calcium|Ca|20|metal|solid
scandium|Sc|21|metal|solid
titanium|Ti|22|metal|solid
vanadium|V|23|metal|solid
chromium|Cr|24|metal|solid
manganese|Mn|25|metal|solid
iron|Fe|26|metal|solid
cobalt|Co|27|metal|solid
nickel|Ni|28|metal|solid
copper|Cu|29|metal|solid
zinc|Zn|30|metal|solid
gallium|Ga|31|metal|solid
germanium|Ge|32|metalloid|solid
arsenic|As|33|metalloid|solid
selenium|Se|34|nonmetal|solid
bromine|Br|35|nonmetal|liquid
krypton|Kr|36|noble gas|gas
rubidium|Rb|37|metal|solid
strontium|Sr|38|metal|solid
yttrium|Y|39|metal|solid
zirconium|Zr|40|metal|solid
niobium|Nb|41|metal|solid
molybdenum|Mo|42|metal|solid
technetium|Tc|43|metal|solid
ruthenium|Ru|44|metal|solid
rhodium|Rh|45|metal|solid
palladium|Pd|46|metal|solid
silver|Ag|47|metal|solid
cadmium|Cd|48|metal|solid
indium|In|49|metal|solid
tin|Sn|50|metal|solid
antimony|Sb|51|metalloid|solid
tellurium|Te|52|metalloid|solid
iodine|I|53|nonmetal|solid
xenon|Xe|54|noble gas|gas
caesium|Cs|55|metal|solid
barium|Ba|56|metal|solid
lanthanum|La|57|metal|solid
cerium|Ce|58|metal|solid
praseodymium|Pr|59|metal|solid
neodymium|Nd|60|metal|solid
promethium|Pm|61|metal|solid
samarium|Sm|62|metal|solid
europium|Eu|63|metal|solid
gadolinium|Gd|64|metal|solid
terbium|Tb|65|metal|solid
dysprosium|Dy|66|metal|solid
holmium|Ho|67|metal|solid
erbium|Er|68|metal|solid
thulium|Tm|69|metal|solid
ytterbium|Yb|70|metal|solid
lutetium|Lu|71|metal|solid
hafnium|Hf|72|metal|solid
tantalum|Ta|73|metal|solid
tungsten|W|74|metal|solid
rhenium|Re|75|metal|solid
osmium|Os|76|metal|solid
iridium|Ir|77|metal|solid
platinum|Pt|78|metal|solid
gold|Au|79|metal|solid
mercury|Hg|80|metal|liquid
thallium|Tl|81|metal|solid
lead|Pb|82|metal|solid
bismuth|Bi|83|metal|solid
polonium|Po|84|-|solid
astatine|At|85|-|-
radon|Rn|86|noble gas|gas
francium|Fr|87|metal|-
radium|Ra|88|metal|solid
actinium|Ac|89|metal|solid
thorium|Th|90|metal|solid
protactinium|Pa|91|metal|solid
uranium|U|92|metal|solid
neptunium|Np|93|metal|solid
plutonium|Pu|94|metal|solid
americium|Am|95|metal|solid
curium|Cm|96|metal|solid
berkelium|Bk|97|metal|solid
californium|Cf|98|metal|solid
einsteinium|Es|99|metal|-
fermium|Fm|100|-|-
mendelevium|Md|101|-|-
nobelium|No|102|-|-
lawrencium|Lr|103|-|-
rutherfordium|Rf|104|-|-
dubnium|Db|105|-|-
seaborgium|Sg|106|-|-
bohrium|Bh|107|-|-
hassium|Hs|108|-|-
meitnerium|Mt|109|-|-
darmstadtium|Ds|110|-|-
roentgenium|Rg|111|-|-
copernicium|Cn|112|-|-
nihonium|Nh|113|-|-
flerovium|Fl|114|-|-
moscovium|Mc|115|-|-
livermorium|Lv|116|-|-
tennessine|Ts|117|-|-
oganesson|Og|118|-|-
"""

# planet | place from the Sun | place by size | kind | moons
PLANETS = """
Mercury|1|8|rocky planet|0
Venus|2|6|rocky planet|0
Earth|3|5|rocky planet|1
Mars|4|7|rocky planet|2
Jupiter|5|1|gas giant|-
Saturn|6|2|gas giant|-
Uranus|7|3|ice giant|-
Neptune|8|4|ice giant|-
"""

# record | what holds it
RECORDS = """
largest planet|Jupiter
smallest planet|Mercury
hottest planet|Venus
planet nearest to the Sun|Mercury
planet farthest from the Sun|Neptune
star nearest to the Earth|the Sun
largest animal|the blue whale
largest land animal|the elephant
tallest animal|the giraffe
fastest land animal|the cheetah
fastest bird|the peregrine falcon
largest bird|the ostrich
smallest bird|the hummingbird
largest fish|the whale shark
largest reptile|the saltwater crocodile
largest lizard|the Komodo dragon
slowest mammal|the sloth
largest primate|the gorilla
lightest element|hydrogen
lightest metal|lithium
hardest natural material|diamond
most common gas in the air|nitrogen
largest organ of the human body|the skin
longest bone of the human body|the thigh bone
smallest bone of the human body|the stirrup
tallest kind of tree|the redwood
tallest grass|bamboo
"""
ALSO_RECORD = """
largest land animal|the African elephant
fastest bird|the falcon
largest reptile|the crocodile
longest bone of the human body|the femur
smallest bone of the human body|the stapes
largest animal|the whale
tallest kind of tree|the coast redwood
star nearest to the Earth|the sun
"""

# part of the body | its job
ORGANS = """
heart|pump blood
lungs|breathe air
stomach|digest food
brain|think
kidneys|clean the blood
liver|clean the blood of poisons
skin|protect the body
skull|protect the brain
ribs|protect the heart and the lungs
eyes|see
ears|hear
nose|smell
tongue|taste
teeth|chew food
bladder|hold urine
muscles|move the body
bones|hold up the body
nerves|carry messages
arteries|carry blood away from the heart
veins|carry blood back to the heart
red blood cells|carry oxygen
white blood cells|fight germs
knees|bend the legs
elbows|bend the arms
eyelids|cover the eyes
eyelashes|keep dust out of the eyes
windpipe|carry air to the lungs
gullet|carry food to the stomach
small intestine|take nutrients from food
large intestine|take water from waste
vocal cords|make the voice
spine|hold the back upright
pupils|let light into the eyes
eardrums|pick up sound
sweat glands|cool the body
salivary glands|make saliva
"""

# kind | the plants, fruits and stones of that kind
KINDS = """
fruit|apple,banana,cherry,pear,plum,grape,lemon,orange,peach,mango,melon,apricot,pineapple,strawberry,raspberry,blackberry,blueberry,grapefruit,papaya,pomegranate,tangerine,nectarine,gooseberry,cranberry
vegetable|carrot,onion,potato,cabbage,leek,spinach,celery,turnip,radish,broccoli,cauliflower,beetroot,lettuce,parsnip,asparagus,kale,artichoke
tree|oak,pine,birch,willow,maple,beech,elm,cedar,poplar,spruce,larch,alder,sycamore,cypress,eucalyptus,baobab,redwood,yew
flower|rose,tulip,daisy,orchid,violet,daffodil,poppy,carnation,dandelion,sunflower,snowdrop,marigold,primrose,bluebell,buttercup,crocus,pansy,geranium,hyacinth,dahlia
herb|basil,parsley,thyme,oregano,rosemary,dill,tarragon,marjoram
spice|cinnamon,nutmeg,saffron,paprika,turmeric,cumin,cardamom
nut|walnut,hazelnut,cashew,pecan,pistachio
grain|wheat,rice,barley,maize,rye,millet
gem|ruby,emerald,sapphire,topaz,opal,garnet,amethyst
rock|granite,limestone,sandstone,basalt,slate,chalk
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
orange|orange
tangerine|orange
marigold|orange
apricot|orange
ivory|white
ebony|black
lilac|purple
strawberry|red
raspberry|red
tomato|red
beetroot|red
cucumber|green
spinach|green
broccoli|green
parsley|green
pea|green
lime|green
avocado|green
emerald|green
moss|green
shamrock|green
lettuce|green
kale|green
milk|white
salt|white
sugar|white
flour|white
swan|white
chalk|white
rice|white
cotton|white
daffodil|yellow
polar bear|white
cauliflower|white
garlic|white
snowdrop|white
raven|black
crow|black
soot|black
tar|black
coffee|brown
chocolate|brown
cinnamon|brown
cocoa|brown
chestnut|brown
walnut|brown
caramel|brown
mud|brown
tree bark|brown
sapphire|blue
bluebell|blue
cornflower|blue
blueberry|blue
the clear sky|blue
lapis lazuli|blue
jade|green
ruby|red
garnet|red
ladybird|red
poppy|red
brick|red
cranberry|red
canary|yellow
sunflower|yellow
dandelion|yellow
buttercup|yellow
mustard|yellow
butter|yellow
egg yolk|yellow
sulfur|yellow
corn|yellow
flamingo|pink
pig|pink
salmon meat|pink
lavender|purple
plum|purple
aubergine|purple
amethyst|purple
violet|purple
ash|grey
elephant|grey
lead|grey
rhinoceros|grey
dolphin|grey
cement|grey
"""
ALSO_COLOUR = """
ash|gray
elephant|gray
lead|gray
rhinoceros|gray
dolphin|gray
cement|gray
lapis lazuli|dark blue
bluebell|purple
beetroot|purple
garnet|dark red
lavender|violet
lilac|violet
violet|blue
plum|dark purple
chestnut|reddish brown
salmon meat|orange
mustard|brown
amethyst|violet
rice|brown
"""

# thing | how it tastes
TASTES = """
lemon|sour
lime|sour
vinegar|sour
yoghurt|sour
sauerkraut|sour
rhubarb|sour
buttermilk|sour
sugar|sweet
honey|sweet
syrup|sweet
chocolate|sweet
cake|sweet
candy|sweet
jam|sweet
banana|sweet
ice cream|sweet
caramel|sweet
toffee|sweet
salt|salty
seawater|salty
soy sauce|salty
bacon|salty
ham|salty
anchovy|salty
coffee|bitter
cocoa|bitter
tonic water|bitter
quinine|bitter
chicory|bitter
chili|hot
wasabi|hot
"""
ALSO_TASTE = """
chocolate|bitter
chili|spicy
wasabi|spicy
rhubarb|tart
lime|tart
lemon|tart
tonic water|sweet
"""

# thing | what it is made from
MATERIALS = """
bread|flour
cheese|milk
butter|cream
yoghurt|milk
glass|sand
paper|wood
wine|grapes
cider|apples
raisin|grapes
prune|plums
chocolate|cocoa
ketchup|tomatoes
omelette|eggs
pasta|flour
pancake|flour
tofu|soybeans
sake|rice
popcorn|corn
sauerkraut|cabbage
guacamole|avocados
hummus|chickpeas
marzipan|almonds
jam|fruit
olive oil|olives
malt|barley
charcoal|wood
steel|iron
brick|clay
pottery|clay
porcelain|clay
candle|wax
tyre|rubber
rubber band|rubber
denim|cotton
linen|flax
saddle|leather
leather|animal skin
snowman|snow
iceberg|ice
igloo|snow
window pane|glass
honeycomb|beeswax
cobweb|spider silk
parchment|animal skin
pencil lead|graphite
plywood|wood
log cabin|wood
honey|nectar
flour|wheat
sushi|rice
concrete|cement
bronze|copper
brass|copper
jumper|wool
"""
ALSO_MATERIAL = """
cheese|cow's milk
butter|milk
paper|wood pulp
bread|wheat,dough
ketchup|tomato
chocolate|cocoa beans
sauerkraut|white cabbage
pasta|wheat,dough
tofu|soy milk,soya beans
popcorn|maize
pancake|batter,eggs
iceberg|frozen water
igloo|ice
flour|grain
jumper|yarn
bronze|tin
brass|zinc
sushi|fish
concrete|sand,gravel
candle|paraffin
"""

# season | weather
SEASONS = """
spring|mild
summer|hot
autumn|cool
winter|cold
"""
ALSO_SEASON = """
spring|warm
summer|warm
winter|snowy
autumn|rainy
"""

# Entities that take no indefinite article.
MASS_NOUNS = """
spinach|celery|broccoli|cauliflower|beetroot|lettuce|asparagus|kale|basil|parsley|thyme|oregano|rosemary
dill|tarragon|marjoram|cinnamon|nutmeg|saffron|paprika|turmeric|cumin|cardamom|wheat|rice|barley|maize|rye
millet|granite|limestone|sandstone|basalt|slate|chalk|grass|snow|coal|blood|moss|milk|salt|sugar|flour
cotton|garlic|soot|tar|coffee|chocolate|cocoa|caramel|mud|tree bark|the clear sky|lapis lazuli|ivory|ebony
jade|mustard|butter|sulfur|corn|salmon meat|lavender|ash|lead|cement|vinegar|yoghurt|sauerkraut|rhubarb
buttermilk|honey|syrup|candy|jam|ice cream|toffee|seawater|soy sauce|bacon|ham|tonic water|quinine|chicory
wasabi|bread|cheese|glass|paper|wine|cider|ketchup|pasta|tofu|sake|popcorn|guacamole|hummus|marzipan
olive oil|malt|charcoal|steel|pottery|porcelain|denim|linen|leather|parchment|pencil lead|plywood|sushi
concrete|bronze|brass|lilac
"""
UNCOUNTABLE.update(noun for row in rows(MASS_NOUNS) for noun in row)


def _also(table: str) -> dict[str, tuple[str, ...]]:
    """Further right values by entity, from a table `entity | value,value`."""
    return {row[0]: tuple(row[1].split(",")) for row in rows(table)}


def _homes() -> dict[str, tuple[str, ...]]:
    """Further right homes: those of the animal, and other words for the stated one."""
    also = _also(ALSO_HOME)
    homes = {
        animal: dict.fromkeys((*also.get(animal, ()), *SAME_HOME.get(home, ())))
        for animal, home in column(ANIMALS, 4).items()
    }
    return {animal: tuple(words) for animal, words in homes.items() if words}


def _relations() -> tuple[Relation, ...]:
    symbols = column(ELEMENTS, 1)
    kinds = {word: row[0] for row in rows(KINDS) for word in row[1].split(",")}
    noble = [element for element, kind in column(ELEMENTS, 3).items() if kind == "noble gas"]
    coverings = column(ANIMALS, 7)
    return (
        Relation(
            "class", "animal", "kind",
            ("What kind of animal is {ae}?", "Which class of animal is the {e}?",
             "To which class of animals does the {e} belong?"),
            ("The {e} is {av}.", "{ae} is {av}."),
            column(ANIMALS, 1),
            ("And what kind of animal is it?", "What kind of animal is it?"),
        ),
        Relation(
            "legs", "animal", "number of legs",
            ("How many legs does {ae} have?", "How many legs has {ae}?",
             "What is the number of legs of {ae}?"),
            ("The {e} has {v} legs.", "{ae} has {v} legs."),
            column(ANIMALS, 2),
            ("And how many legs does it have?", "How many legs has it?"),
        ),
        Relation(
            "young", "animal", "young",
            ("What is a young {e} called?", "What do we call a baby {e}?",
             "What is the name for a young {e}?"),
            ("The young of the {e} is called {av}.", "A young {e} is called {av}.",
             "A baby {e} is called {av}."),
            column(ANIMALS, 3),
            ("And its young?", "What is its young called?"),
            _also(ALSO_YOUNG),
        ),
        Relation(
            "home", "animal", "home",
            ("Where does {ae} live?", "What is the home of the {e}?", "Where is the home of {ae}?"),
            ("The home of the {e} is the {v}.", "The home of {ae} is the {v}."),
            column(ANIMALS, 4),
            ("And where does it live?", "Where does it live?", "And its home?"),
            _homes(),
        ),
        Relation(
            "sound", "animal", "sound",
            ("What sound does {ae} make?", "Which sound does the {e} make?",
             "What is the sound of {ae}?"),
            ("The sound of the {e} is called {av}.", "The {e} makes {av}."),
            column(ANIMALS, 5),
            ("And its sound?", "What sound does it make?"),
            _also(ALSO_SOUND),
        ),
        Relation(
            "food", "animal", "kind of eater",
            ("Is the {e} a herbivore, a carnivore or an omnivore?", "What kind of eater is {ae}?",
             "What kind of eater is the {e}?"),
            ("The {e} feeds as {av}.", "{ae} feeds as {av}."),
            {animal: FOODS[code] for animal, code in column(ANIMALS, 6).items()},
            ("And what kind of eater is it?", "What kind of eater is it?"),
        ),
        Relation(
            "covering", "animal", "covering",
            ("What covers the body of {ae}?", "What is the body of {ae} covered with?",
             "What covering does the {e} have?"),
            ("The {e} is covered with {v}.", "The body of {ae} is covered with {v}."),
            coverings,
            ("And what covers its body?", "What is its body covered with?"),
            {animal: HAIR[coat] for animal, coat in coverings.items() if coat in HAIR},
        ),
        Relation(
            "symbol", "element", "symbol",
            ("What is the chemical symbol for {e}?", "What is the symbol of {e}?",
             "Which symbol stands for {e}?"),
            ("The symbol for {e} is {v}.", "The chemical symbol for {e} is {v}."),
            symbols,
            ("And its symbol?", "What is its symbol?"),
        ),
        Relation(
            "number", "element", "atomic number",
            ("What is the atomic number of {e}?", "Which atomic number does {e} have?",
             "What atomic number has {e}?"),
            ("The atomic number of {e} is {v}.", "{e} has the atomic number {v}."),
            column(ELEMENTS, 2),
            ("And its atomic number?", "What is its atomic number?"),
        ),
        Relation(
            "element", "symbol", "element",
            ("Which element has the symbol {e}?", "What does the symbol {e} stand for?",
             "Which element is written {e}?"),
            ("The symbol {e} stands for {v}.", "{e} is the symbol for {v}."),
            {symbol: name for name, symbol in symbols.items()},
            also={"Al": ("aluminum",), "S": ("sulphur",), "Cs": ("cesium",)},
        ),
        Relation(
            "element_kind", "element", "kind of element",
            ("What kind of element is {e}?", "Which kind of element is {e}?",
             "What sort of element is {e}?"),
            ("The element {e} is {av}.", "{e} is {av}."),
            column(ELEMENTS, 3),
            ("And what kind of element is it?", "What kind of element is it?"),
            dict.fromkeys(noble, ("nonmetal", "gas")) | {"selenium": ("metalloid",)},
        ),
        Relation(
            "state_of_matter", "element", "state",
            ("What is the state of {e} at room temperature?", "Is {e} a solid, a liquid or a gas?",
             "In which state is {e} at room temperature?"),
            ("The state of {e} at room temperature is {v}.",),
            column(ELEMENTS, 4),
            ("And its state at room temperature?", "Is it a solid, a liquid or a gas?"),
        ),
        Relation(
            "planet", "planet", "place from the Sun",
            ("Which planet from the Sun is {e}?", "What number from the Sun is {e}?",
             "What is the place of {e} from the Sun?"),
            ("The planet {e} is number {v} from the Sun.", "{e} is planet number {v} from the Sun."),
            column(PLANETS, 1),
            ("And its place from the Sun?",),
        ),
        Relation(
            "planet_size", "planet", "place by size",
            ("What number by size is {e} among the planets?", "What is the place of {e} by size?"),
            ("The planet {e} is number {v} by size.", "By size {e} is planet number {v}."),
            column(PLANETS, 2),
            ("And its place by size?",),
        ),
        Relation(
            "planet_kind", "planet", "kind of planet",
            ("What kind of planet is {e}?", "Which kind of planet is {e}?"),
            ("The planet {e} is {av}.", "{e} is {av}."),
            column(PLANETS, 3),
            ("And what kind of planet is it?", "What kind of planet is it?"),
            {"Uranus": ("gas giant",), "Neptune": ("gas giant",)},
        ),
        Relation(
            "moons", "planet", "number of moons",
            ("How many moons does {e} have?", "How many moons has {e}?"),
            ("The number of moons of {e} is {v}.",),
            column(PLANETS, 4),
            ("And how many moons does it have?", "How many moons has it?"),
        ),
        Relation(
            "nature_record", "nature_record", "record holder",
            ("What is the {e}?", "Name the {e}.", "Which is the {e}?"),
            ("The {e} is {v}.",),
            column(RECORDS, 1),
            also=_also(ALSO_RECORD),
        ),
        Relation(
            "organ", "organ", "job",
            ("What is the job of the {e}?", "Which job has the {e} in the body?",
             "What is the task of the {e}?"),
            ("The job of the {e} is to {v}.", "The task of the {e} is to {v}."),
            column(ORGANS, 1),
        ),
        Relation(
            "nature_kind", "thing", "kind",
            ("What kind of thing is {ae}?", "What sort of thing is {ae}?",
             "Name the kind of thing that {ae} is."),
            ("The word {e} names {av}.", "{ae} is a kind of {v}."),
            kinds,
            ("And what kind of thing is it?",),
        ),
        Relation(
            "colour", "thing", "colour",
            ("What is the colour of {ae}?", "Which colour is {ae}?", "What colour is {ae}?"),
            ("The colour of {ae} is {v}.", "{ae} is {v}."),
            column(COLOURS, 1),
            ("And its colour?", "What about the colour?"),
            _also(ALSO_COLOUR),
        ),
        Relation(
            "taste", "thing", "taste",
            ("What is the taste of {ae}?", "How does {ae} taste?", "What does {ae} taste like?"),
            ("The taste of {ae} is {v}.", "{ae} tastes {v}."),
            column(TASTES, 1),
            ("And its taste?", "How does it taste?"),
            _also(ALSO_TASTE),
        ),
        Relation(
            "material", "thing", "material",
            ("What is {ae} made from?", "What is the main material of {ae}?",
             "From what is {ae} made?"),
            ("The main material of {ae} is {v}.", "{ae} is made from {v}."),
            column(MATERIALS, 1),
            ("And what is it made from?", "What is it made from?"),
            _also(ALSO_MATERIAL),
        ),
        Relation(
            "weather", "season", "weather",
            ("What is the weather of {e} like?", "How is the weather in {e}?"),
            ("The weather in {e} is {v}.",),
            column(SEASONS, 1),
            ("And its weather?", "How is its weather?"),
            _also(ALSO_SEASON),
        ),
    )  # fmt: skip


RELATIONS: tuple[Relation, ...] = _relations()

# Members by how often they should be named: the first few are the best known.
LISTS: dict[str, list[str]] = {
    "animals": "dog cat horse lion elephant rabbit tiger bear".split(),
    "mammals": "dog cat horse lion bear wolf cow whale".split(),
    "birds": "eagle owl duck swan robin penguin crow parrot".split(),
    "fish": "shark salmon trout tuna carp herring cod pike".split(),
    "insects": "ant bee wasp moth beetle cricket fly butterfly".split(),
    "reptiles": "snake lizard turtle gecko crocodile tortoise".split(),
    "amphibians": "frog toad newt salamander".split(),
    "arachnids": "spider scorpion tarantula tick".split(),
    "sea animals": "whale shark dolphin crab octopus squid".split(),
    "farm animals": "cow pig sheep goat hen horse".split(),
    "herbivores": "cow horse sheep zebra giraffe rabbit".split(),
    "carnivores": "lion tiger shark wolf eagle crocodile".split(),
    "planets": "Mars Venus Saturn Jupiter Neptune Earth".split(),
    "rocky planets": "Mercury Venus Earth Mars".split(),
    "chemical elements": "hydrogen oxygen carbon iron gold helium".split(),
    "gases": "oxygen hydrogen helium nitrogen neon argon".split(),
    "noble gases": "helium neon argon krypton xenon radon".split(),
    "metals": "iron gold silver copper tin zinc lead nickel".split(),
    "organs of the body": "heart brain liver stomach skin".split(),
    "fruits": "apple banana cherry pear plum grape mango lemon".split(),
    "vegetables": "carrot onion potato cabbage leek spinach".split(),
    "trees": "oak pine birch willow maple beech elm cedar".split(),
    "flowers": "rose tulip daisy orchid violet poppy".split(),
    "herbs": "basil parsley thyme oregano rosemary dill".split(),
    "spices": "cinnamon nutmeg saffron paprika turmeric cumin".split(),
    "nuts": "walnut hazelnut cashew pecan pistachio".split(),
    "grains": "wheat rice barley rye maize millet".split(),
    "gems": "ruby emerald sapphire diamond opal topaz".split(),
    "colours": "red blue green yellow white black".split(),
    "tastes": "sweet sour salty bitter".split(),
    "seasons": "spring summer autumn winter".split(),
}


def check_tables() -> None:
    """Refuse a table with a hole in it; what holds for all modules is checked in world.py."""
    for table, width in (
        (ANIMALS, 8), (GROUPS, 2), (ELEMENTS, 5), (PLANETS, 5), (ORGANS, 2), (COLOURS, 2),
        (TASTES, 2), (MATERIALS, 2), (RECORDS, 2), (SEASONS, 2),
    ):  # fmt: skip
        assert all(len(row) == width and all(row) for row in rows(table)), table[:80]
        assert len({row[0] for row in rows(table)}) == len(rows(table)), table[:80]
    assert [row[2] for row in rows(ELEMENTS)] == [str(n) for n in range(1, 119)]
    assert len({row[1] for row in rows(ELEMENTS)}) == 118
    assert sum(len(row[1].split(",")) for row in rows(KINDS)) == sum(
        len(relation.values) for relation in RELATIONS if relation.name == "nature_kind"
    )
