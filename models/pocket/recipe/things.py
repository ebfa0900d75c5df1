"""Facts about things people make, do and remember: objects, jobs, works, dishes, games, feasts.

Animals, plants, metals and the like are not among them; other modules of the recipe hold those.
"""

# ruff: noqa: SIM905 - word tables read better as text than as lists of quoted words
from __future__ import annotations

from relations import UNCOUNTABLE, Relation, column, rows

# thing | what it is
DEFINITIONS = """
hammer|a tool for driving nails
saw|a tool for cutting wood
spoon|a tool for eating soup
broom|a tool for sweeping floors
needle|a thin pin for sewing cloth
ladder|a set of steps for climbing
telescope|an instrument for looking at stars
microscope|an instrument for looking at tiny things
thermometer|an instrument for measuring heat
compass|an instrument for finding north
barometer|an instrument for measuring air pressure
speedometer|an instrument that shows speed
periscope|a tube for seeing over walls
stethoscope|an instrument for hearing the heart
clock|a machine that shows the time
watch|a small clock worn on the wrist
sundial|a clock that uses shadows
oven|a hot box for baking
fridge|a machine that keeps food cold
toaster|a machine that browns bread
kettle|a pot for boiling water
teapot|a pot for making tea
sieve|a bowl with many tiny holes
bicycle|a vehicle with two wheels
tricycle|a vehicle with three wheels
tractor|a strong vehicle used on farms
submarine|a ship that travels under water
helicopter|an aircraft with turning blades on top
ferry|a boat that carries people across water
canoe|a narrow boat moved with paddles
raft|a flat boat made of logs
yacht|a fine boat for pleasure
sledge|a vehicle that slides on snow
ambulance|a vehicle that carries sick people
parachute|a cloth that slows a fall
rocket|a machine that flies into space
satellite|an object that circles a planet
bakery|a shop that sells bread
pharmacy|a shop that sells medicine
library|a place where books are lent
museum|a place where old things are shown
hospital|a place where the sick are treated
school|a place where children learn
kindergarten|a school for very young children
harbour|a place where ships rest
airport|a place where planes land
lighthouse|a tower that warns ships with light
theatre|a place where plays are shown
cinema|a place where films are shown
prison|a place where criminals are locked up
restaurant|a place where meals are sold
hotel|a house where travellers sleep
zoo|a place where wild animals are kept
aquarium|a glass tank for fish
greenhouse|a glass house for plants
stable|a house for horses
kennel|a small house for a dog
igloo|a round house made of snow
tent|a shelter made of cloth
castle|a strong house with thick walls
palace|the large house of a king
skyscraper|a very tall building
monastery|a house where monks live
orchard|a garden of fruit trees
vineyard|a field where grapes grow
meadow|a field of grass and flowers
forest|a large area covered with trees
desert|a dry place with little rain
oasis|a place with water in a desert
island|land with water all around
peninsula|land with water on three sides
volcano|a mountain that throws out lava
glacier|a slow river of ice
valley|low land between hills
canyon|a deep valley with steep sides
cave|a hollow place in rock
lake|water with land all around
river|a stream that flows to the sea
waterfall|a place where a river drops
swamp|soft wet land
reef|a ridge of rock or coral
iceberg|a mountain of ice in the sea
earthquake|a shaking of the ground
hurricane|a very strong storm from the sea
tornado|a whirling storm shaped like a funnel
avalanche|a mass of snow sliding downhill
drought|a long time without rain
flood|water covering dry land
rainbow|an arch of colours in the sky
eclipse|the hiding of the Sun or Moon
fog|a cloud close to the ground
hail|rain that falls as ice
dawn|the time when the sun rises
dusk|the time when the sun has set
midnight|twelve o'clock at night
noon|twelve o'clock in the day
decade|a time of ten years
century|a time of one hundred years
orphan|a child without living parents
widow|a woman whose husband has died
bachelor|a man who has never married
twin|one of two children born together
infant|a very young child
teenager|a person aged thirteen to nineteen
pedestrian|a person who walks on the street
passenger|a person who rides in a vehicle
neighbour|a person who lives next door
stranger|a person one does not know
tourist|a person who travels for pleasure
burglar|a person who breaks into houses
pirate|a robber of ships at sea
hermit|a person who lives alone
miser|a person who hates spending money
vegetarian|a person who eats no meat
author|a person who writes books
poet|a person who writes poems
sculptor|an artist who carves statues
astronomer|a scientist who studies the stars
botanist|a scientist who studies plants
zoologist|a scientist who studies animals
geologist|a scientist who studies rocks
historian|a person who studies the past
astronaut|a person who travels in space
interpreter|a person who translates spoken words
translator|a person who translates texts
detective|a person who solves crimes
referee|a person who judges a match
gravity|the force that pulls things down
photosynthesis|the way plants make food from light
evaporation|the change of water into vapour
condensation|the change of vapour into water
erosion|the wearing away of land
hibernation|a long sleep through the winter
migration|a long journey to another place
democracy|rule by the people
monarchy|rule by a king or queen
hunger|the need for food
thirst|the need for water
astronomy|the study of the stars
botany|the study of plants
zoology|the study of animals
geology|the study of rocks
biology|the study of living things
history|the study of the past
geography|the study of lands and seas
arithmetic|the art of counting with numbers
grammar|the rules of a language
poem|a text written in verse
novel|a long story in a book
fable|a short story with a lesson
biography|the story of the life of a person
autobiography|the story of one's own life
diary|a book of daily notes
dictionary|a book that explains words
atlas|a book of maps
cookbook|a book of recipes
recipe|a text that tells how to cook
map|a drawing of a place
globe|a round map of the world
alphabet|the letters of a language in order
vowel|a sound such as A or E
noun|a word that names a thing
verb|a word that tells an action
adjective|a word that describes a noun
adverb|a word that describes a verb
pronoun|a word that stands for a noun
synonym|a word with the same meaning
proverb|a short wise saying
riddle|a puzzle in words
coin|a piece of money made of metal
wallet|a small case for money
umbrella|a thing that keeps off the rain
candle|a stick of wax that gives light
mirror|a glass that shows your face
pillow|a soft bag for the head
blanket|a warm cover for a bed
mattress|the soft part of a bed
carpet|a thick cloth for the floor
curtain|a cloth that covers a window
chimney|a pipe that carries smoke away
fence|a wall of posts and boards
bridge|a road built over water
tunnel|a road built under the ground
dam|a wall that holds back water
well|a deep hole for getting water
anchor|a heavy hook that holds a ship
sail|a cloth that catches the wind
paddle|a board for moving a canoe
helmet|a hard hat that protects the head
glove|a piece of clothing for the hand
scarf|a long cloth for the neck
apron|a cloth that keeps clothes clean
crown|a ring of gold for a king's head
shield|a plate that protects a fighter
omelette|a dish of fried beaten eggs
sandwich|a filling between slices of bread
breakfast|the first meal of the day
dinner|the main meal of the day
dessert|the sweet end of a meal
"""

# kind | its members (a kind may have several rows)
KINDS = """
instrument|piano guitar violin cello flute trumpet trombone clarinet oboe bassoon saxophone harp banjo tuba
instrument|mandolin accordion xylophone piccolo bugle lute harpsichord tambourine bagpipe drum
tool|hammer saw screwdriver wrench chisel axe rake spade shovel hoe drill crowbar trowel sickle scythe
tool|pickaxe mallet pitchfork
sport|tennis football rugby hockey golf swimming boxing wrestling volleyball basketball baseball badminton
sport|fencing judo karate rowing cycling skiing archery surfing handball gymnastics netball
piece of clothing|shirt jacket coat skirt dress sweater hat scarf glove sock cap vest blouse cardigan mitten
piece of clothing|cloak kilt sari kimono poncho raincoat
piece of furniture|table chair bed sofa wardrobe desk bookcase armchair stool cupboard bench sideboard
vehicle|car bus lorry taxi van motorcycle bicycle tram tractor ambulance scooter limousine tricycle
boat|canoe kayak yacht ferry raft gondola catamaran dinghy
drink|tea coffee milk juice wine beer lemonade water cocoa cider whisky vodka rum champagne gin brandy
game|chess draughts poker dominoes backgammon ludo bingo roulette billiards solitaire hopscotch
game|hide-and-seek
dance|waltz tango polka samba ballet foxtrot rumba flamenco mazurka minuet cha-cha quickstep
job|miner sailor architect surveyor florist jeweller baker butcher teacher doctor nurse plumber carpenter
job|farmer tailor lawyer pilot engineer dentist cook waiter postman barber painter gardener mechanic
job|electrician librarian journalist secretary
building|courthouse mansion lighthouse monastery windmill church castle temple mosque school hospital
building|cathedral synagogue palace cottage skyscraper barn museum factory
shape|circle triangle square rectangle oval pentagon hexagon octagon cube sphere cone cylinder pyramid
shape|rhombus
fabric|cotton silk wool linen velvet denim satin nylon felt polyester lace cashmere
cheese|cheddar brie camembert gouda mozzarella parmesan feta roquefort edam gorgonzola ricotta
pasta|spaghetti macaroni lasagne ravioli penne fusilli tagliatelle linguine tortellini
bread|baguette ciabatta pitta naan focaccia
weapon|sword spear dagger rifle pistol cannon crossbow lance musket
meal|breakfast lunch dinner supper
currency|dollar pound yen rupee peso yuan ruble dinar zloty
dwelling|tent igloo bungalow wigwam
emotion|anger joy fear sadness envy jealousy surprise disgust
science|physics chemistry biology astronomy geology botany zoology
musical work|symphony opera sonata concerto
military rank|general captain sergeant colonel corporal lieutenant
"""

# Kinds whose members take no article, and so do these words.
WITHOUT_ARTICLE = "sport drink game fabric cheese pasta emotion science meal".split()
UNCOUNTABLE.update(
    """
    gravity photosynthesis evaporation condensation erosion hibernation migration democracy monarchy hunger
    thirst astronomy botany zoology geology biology history geography arithmetic grammar fog hail dawn dusk
    midnight noon ballet flamenco naan focaccia soap shampoo glue binoculars handcuffs
    breakfast lunch dinner supper
    """.split()
)
UNCOUNTABLE.update(
    member for kind, members in rows(KINDS) if kind in WITHOUT_ARTICLE for member in members.split()
)

# object | what it is used for
USES = """
broom|sweeping the floor
knife|cutting food
fork|lifting food to the mouth
cup|drinking
kettle|boiling water
saucepan|cooking food
frying pan|frying food
oven|baking
fridge|keeping food cold
freezer|freezing food
toaster|toasting bread
corkscrew|opening bottles of wine
rolling pin|rolling out dough
grater|grating cheese
sieve|straining
whisk|beating eggs
ladle|serving soup
dishwasher|washing dishes
washing machine|washing clothes
iron|pressing clothes
vacuum cleaner|cleaning carpets
mop|washing the floor
sponge|wiping and washing
bucket|carrying water
dustbin|holding rubbish
towel|drying the body
soap|washing the hands
shampoo|washing the hair
toothbrush|cleaning the teeth
comb|tidying the hair
razor|shaving
bed|sleeping
chair|sitting
wardrobe|keeping clothes
bookcase|keeping books
lamp|giving light
torch|lighting the way
candle|giving light
match|lighting a fire
lighter|lighting a fire
mirror|seeing oneself
umbrella|keeping off the rain
raincoat|keeping dry
key|opening a lock
lock|keeping a door shut
doorbell|calling at a door
ladder|climbing up
hammer|driving nails
saw|cutting wood
axe|chopping wood
screwdriver|turning screws
drill|making holes
chisel|carving wood
spanner|turning nuts
paintbrush|painting
glue|sticking things together
spade|digging
rake|gathering leaves
watering can|watering plants
lawnmower|cutting grass
wheelbarrow|moving soil
scythe|cutting long grass
plough|turning the soil
needle|sewing
thimble|protecting a finger
loom|weaving cloth
pen|writing
pencil|drawing
eraser|rubbing out pencil marks
ruler|drawing straight lines
calculator|doing sums
printer|printing pages
camera|taking photos
telephone|talking over a distance
microphone|making a voice louder
clock|telling the time
alarm clock|waking people up
calendar|showing the date
thermometer|measuring temperature
compass|finding the way
map|finding the way
telescope|looking at stars
microscope|looking at tiny things
binoculars|seeing things far away
hearing aid|helping people hear
wheelchair|moving people who cannot walk
crutch|helping people walk
bandage|covering a wound
anchor|holding a ship in place
lifeboat|saving people at sea
oar|rowing a boat
fishing rod|catching fish
net|catching fish
saddle|riding a horse
whistle|giving a signal
crane|lifting heavy loads
lift|going up and down in buildings
wallet|holding money
suitcase|packing clothes
envelope|posting a letter
stamp|paying for post
dictionary|looking up words
abacus|counting
helmet|protecting the head
"""

# worker | where the work is done | what the work is
JOBS = """
baker|a bakery|baking bread
butcher|a butcher shop|selling meat
teacher|a school|teaching pupils
professor|a university|teaching students
doctor|a surgery|treating the sick
surgeon|an operating theatre|operating on patients
nurse|a hospital|caring for the sick
midwife|-|helping babies to be born
dentist|a dental surgery|treating teeth
pharmacist|a pharmacy|preparing medicines
vet|an animal clinic|treating animals
farmer|a farm|growing food
shepherd|a pasture|minding sheep
gardener|a garden|growing plants
forester|a forest|looking after trees
miner|a mine|digging for coal or ore
sailor|a ship|sailing a ship
fisherman|a fishing boat|catching fish
pilot|a cockpit|flying planes
bus driver|a bus|driving a bus
chef|a kitchen|cooking meals
waiter|a restaurant|serving meals
bartender|a bar|serving drinks
librarian|a library|lending books
judge|a court|judging cases
lawyer|a law office|giving advice on the law
jailer|a prison|guarding prisoners
actor|a theatre|playing parts
clown|a circus|making people laugh
priest|a church|leading prayers
rabbi|a synagogue|-
imam|a mosque|-
monk|a monastery|-
scientist|a laboratory|making experiments
astronomer|an observatory|studying the stars
astronaut|a spacecraft|exploring space
mechanic|a garage|repairing cars
painter|a studio|painting pictures
sculptor|-|making statues
potter|a pottery|making pots
carpenter|a workshop|making things of wood
blacksmith|a forge|shaping iron
tailor|a tailor shop|making suits
cobbler|-|mending shoes
jeweller|a jewellery shop|making jewellery
florist|a flower shop|selling flowers
barber|a barber shop|cutting hair
plumber|-|repairing water pipes
electrician|-|repairing electric wires
bricklayer|a building site|laying bricks
architect|-|designing buildings
firefighter|a fire station|putting out fires
policeman|a police station|catching criminals
soldier|an army camp|fighting for a country
postman|-|delivering letters
cashier|a shop|taking money
banker|a bank|lending money
receptionist|a reception desk|greeting guests
zookeeper|a zoo|looking after zoo animals
beekeeper|-|keeping bees
milkman|-|delivering milk
author|-|writing books
poet|-|writing poems
composer|-|writing music
translator|-|translating texts
photographer|a photo studio|taking photos
journalist|a newsroom|writing news
curator|a museum|looking after a collection
lifeguard|a beach|saving swimmers
referee|a playing field|judging a match
jockey|a racecourse|riding race horses
chimney sweep|-|cleaning chimneys
window cleaner|-|cleaning windows
detective|-|solving crimes
optician|-|making glasses
watchmaker|-|repairing watches
glazier|-|fitting windows
brewer|a brewery|making beer
miller|a mill|grinding grain
"""


# work | author
BOOKS = """
Hamlet|William Shakespeare
Macbeth|William Shakespeare
Othello|William Shakespeare
King Lear|William Shakespeare
Romeo and Juliet|William Shakespeare
The Tempest|William Shakespeare
Julius Caesar|William Shakespeare
Twelfth Night|William Shakespeare
Emma|Jane Austen
Persuasion|Jane Austen
Mansfield Park|Jane Austen
Pride and Prejudice|Jane Austen
Sense and Sensibility|Jane Austen
Oliver Twist|Charles Dickens
David Copperfield|Charles Dickens
Great Expectations|Charles Dickens
A Christmas Carol|Charles Dickens
A Tale of Two Cities|Charles Dickens
Bleak House|Charles Dickens
Jane Eyre|Charlotte Bronte
Wuthering Heights|Emily Bronte
Agnes Grey|Anne Bronte
Frankenstein|Mary Shelley
Dracula|Bram Stoker
Moby Dick|Herman Melville
Walden|Henry David Thoreau
Tom Sawyer|Mark Twain
Huckleberry Finn|Mark Twain
Treasure Island|Robert Louis Stevenson
Kidnapped|Robert Louis Stevenson
The Time Machine|H. G. Wells
The Invisible Man|H. G. Wells
The War of the Worlds|H. G. Wells
The Jungle Book|Rudyard Kipling
Kim|Rudyard Kipling
Peter Pan|J. M. Barrie
War and Peace|Leo Tolstoy
Anna Karenina|Leo Tolstoy
Crime and Punishment|Fyodor Dostoevsky
The Idiot|Fyodor Dostoevsky
The Brothers Karamazov|Fyodor Dostoevsky
The Cherry Orchard|Anton Chekhov
The Seagull|Anton Chekhov
Three Sisters|Anton Chekhov
Dead Souls|Nikolai Gogol
Fathers and Sons|Ivan Turgenev
Eugene Onegin|Alexander Pushkin
Don Quixote|Miguel de Cervantes
Faust|Johann Wolfgang von Goethe
William Tell|Friedrich Schiller
The Trial|Franz Kafka
The Castle|Franz Kafka
The Magic Mountain|Thomas Mann
Buddenbrooks|Thomas Mann
Siddhartha|Hermann Hesse
Candide|Voltaire
Tartuffe|Moliere
The Miser|Moliere
Les Miserables|Victor Hugo
The Three Musketeers|Alexandre Dumas
The Count of Monte Cristo|Alexandre Dumas
Madame Bovary|Gustave Flaubert
Germinal|Emile Zola
Nana|Emile Zola
Around the World in Eighty Days|Jules Verne
The Mysterious Island|Jules Verne
The Little Prince|Antoine de Saint-Exupery
The Stranger|Albert Camus
Pinocchio|Carlo Collodi
The Divine Comedy|Dante Alighieri
The Decameron|Giovanni Boccaccio
The Prince|Niccolo Machiavelli
The Odyssey|Homer
The Iliad|Homer
The Aeneid|Virgil
Antigone|Sophocles
Medea|Euripides
The Republic|Plato
Ulysses|James Joyce
Dubliners|James Joyce
Gulliver's Travels|Jonathan Swift
Robinson Crusoe|Daniel Defoe
Moll Flanders|Daniel Defoe
Paradise Lost|John Milton
The Canterbury Tales|Geoffrey Chaucer
Middlemarch|George Eliot
Silas Marner|George Eliot
Vanity Fair|William Makepeace Thackeray
Ivanhoe|Walter Scott
Pygmalion|George Bernard Shaw
The Picture of Dorian Gray|Oscar Wilde
Lord Jim|Joseph Conrad
Heart of Darkness|Joseph Conrad
Alice in Wonderland|Lewis Carroll
The Wind in the Willows|Kenneth Grahame
The Secret Garden|Frances Hodgson Burnett
Black Beauty|Anna Sewell
Winnie-the-Pooh|A. A. Milne
Mrs Dalloway|Virginia Woolf
Animal Farm|George Orwell
Brave New World|Aldous Huxley
Lord of the Flies|William Golding
The Hobbit|J. R. R. Tolkien
Little Women|Louisa May Alcott
Uncle Tom's Cabin|Harriet Beecher Stowe
The Scarlet Letter|Nathaniel Hawthorne
The Raven|Edgar Allan Poe
The Call of the Wild|Jack London
White Fang|Jack London
The Great Gatsby|F. Scott Fitzgerald
The Old Man and the Sea|Ernest Hemingway
Of Mice and Men|John Steinbeck
The Grapes of Wrath|John Steinbeck
To Kill a Mockingbird|Harper Lee
The Catcher in the Rye|J. D. Salinger
Dune|Frank Herbert
Heidi|Johanna Spyri
Pippi Longstocking|Astrid Lindgren
A Doll's House|Henrik Ibsen
Peer Gynt|Henrik Ibsen
The Ugly Duckling|Hans Christian Andersen
The Little Mermaid|Hans Christian Andersen
One Hundred Years of Solitude|Gabriel Garcia Marquez
The Origin of Species|Charles Darwin
"""

COMPOSERS = """
The Magic Flute|Mozart
Don Giovanni|Mozart
The Four Seasons|Vivaldi
The Moonlight Sonata|Beethoven
The Ode to Joy|Beethoven
Fidelio|Beethoven
Swan Lake|Tchaikovsky
The Nutcracker|Tchaikovsky
The Brandenburg Concertos|Bach
The Well-Tempered Clavier|Bach
Messiah|Handel
Aida|Verdi
Rigoletto|Verdi
La Traviata|Verdi
Tosca|Puccini
Turandot|Puccini
Carmen|Bizet
The Barber of Seville|Rossini
The Flying Dutchman|Wagner
Tannhauser|Wagner
The Blue Danube|Johann Strauss
Bolero|Ravel
The Rite of Spring|Stravinsky
The Firebird|Stravinsky
Finlandia|Sibelius
The New World Symphony|Dvorak
The Planets|Holst
Rhapsody in Blue|Gershwin
Peter and the Wolf|Prokofiev
"""

PAINTERS = """
the Mona Lisa|Leonardo da Vinci
The Last Supper|Leonardo da Vinci
The Starry Night|Vincent van Gogh
The Potato Eaters|Vincent van Gogh
The Night Watch|Rembrandt
Guernica|Pablo Picasso
The Scream|Edvard Munch
Girl with a Pearl Earring|Johannes Vermeer
The Milkmaid|Johannes Vermeer
The Birth of Venus|Sandro Botticelli
The School of Athens|Raphael
The Sistine Chapel ceiling|Michelangelo
The Persistence of Memory|Salvador Dali
The Kiss|Gustav Klimt
Las Meninas|Diego Velazquez
The Hay Wain|John Constable
American Gothic|Grant Wood
"""

INVENTORS = """
dynamite|Alfred Nobel
the lightning rod|Benjamin Franklin
the phonograph|Thomas Edison
the diesel engine|Rudolf Diesel
the electric battery|Alessandro Volta
the World Wide Web|Tim Berners-Lee
the Davy lamp|Humphry Davy
the Braille alphabet|Louis Braille
the saxophone|Adolphe Sax
the Rubik's Cube|Erno Rubik
the mercury barometer|Evangelista Torricelli
the cotton gin|Eli Whitney
Esperanto|Ludwik Zamenhof
basketball|James Naismith
the Tesla coil|Nikola Tesla
the hot-air balloon|the Montgolfier brothers
the Geiger counter|Hans Geiger
the Petri dish|Julius Petri
logarithms|John Napier
the Celsius scale|Anders Celsius
the Fahrenheit scale|Daniel Fahrenheit
the Richter scale|Charles Richter
the Polaroid camera|Edwin Land
the Stirling engine|Robert Stirling
"""

DISCOVERERS = """
penicillin|Alexander Fleming
radium|Marie Curie
polonium|Marie Curie
X-rays|Wilhelm Rontgen
the law of gravity|Isaac Newton
the theory of relativity|Albert Einstein
the planet Uranus|William Herschel
the electron|J. J. Thomson
the neutron|James Chadwick
the largest moons of Jupiter|Galileo Galilei
the tomb of Tutankhamun|Howard Carter
the circulation of the blood|William Harvey
Pluto|Clyde Tombaugh
the moon Titan|Christiaan Huygens
the laws of planetary motion|Johannes Kepler
the laws of inheritance|Gregor Mendel
radioactivity|Henri Becquerel
the atomic nucleus|Ernest Rutherford
"""

# person | what he or she was
PEOPLE = """
Mozart|composer
Beethoven|composer
Bach|composer
Vivaldi|composer
Verdi|composer
Puccini|composer
Tchaikovsky|composer
Chopin|composer
Haydn|composer
Schubert|composer
Brahms|composer
Debussy|composer
Ravel|composer
Grieg|composer
Sibelius|composer
Elgar|composer
Leonardo da Vinci|painter
Michelangelo|sculptor
Raphael|painter
Botticelli|painter
Rembrandt|painter
Vermeer|painter
Vincent van Gogh|painter
Rubens|painter
Claude Monet|painter
Edouard Manet|painter
Paul Cezanne|painter
Henri Matisse|painter
Auguste Rodin|sculptor
Picasso|painter
Goya|painter
Velazquez|painter
Salvador Dali|painter
Edvard Munch|painter
Albrecht Durer|painter
Frida Kahlo|painter
Gustav Klimt|painter
Joseph Turner|painter
Isaac Newton|scientist
Albert Einstein|scientist
Charles Darwin|scientist
Galileo Galilei|scientist
Michael Faraday|scientist
Niels Bohr|scientist
Max Planck|scientist
Louis Pasteur|scientist
Gregor Mendel|scientist
Johannes Kepler|astronomer
Tycho Brahe|astronomer
Copernicus|astronomer
Edmond Halley|astronomer
Euclid|mathematician
Pythagoras|mathematician
Archimedes|mathematician
Carl Friedrich Gauss|mathematician
Leonhard Euler|mathematician
Fermat|mathematician
Alan Turing|mathematician
Ada Lovelace|mathematician
Carl Linnaeus|botanist
Hippocrates|doctor
Florence Nightingale|nurse
Thomas Edison|inventor
James Watt|inventor
Alfred Nobel|inventor
Gutenberg|printer
Socrates|philosopher
Plato|philosopher
Aristotle|philosopher
Descartes|philosopher
Immanuel Kant|philosopher
Nietzsche|philosopher
Kierkegaard|philosopher
David Hume|philosopher
Confucius|philosopher
William Shakespeare|playwright
Moliere|playwright
Henrik Ibsen|playwright
Sophocles|playwright
Charles Dickens|novelist
Jane Austen|novelist
Leo Tolstoy|novelist
Dostoevsky|novelist
Victor Hugo|novelist
Mark Twain|novelist
Miguel de Cervantes|novelist
Franz Kafka|novelist
Dante|poet
Homer|poet
Virgil|poet
John Keats|poet
Lord Byron|poet
Robert Burns|poet
Pushkin|poet
Emily Dickinson|poet
Walt Whitman|poet
Herodotus|historian
Marco Polo|explorer
Christopher Columbus|explorer
Ferdinand Magellan|explorer
Vasco da Gama|explorer
James Cook|explorer
Roald Amundsen|explorer
David Livingstone|explorer
Neil Armstrong|astronaut
Yuri Gagarin|cosmonaut
Charles Lindbergh|pilot
Julius Caesar|general
Hannibal|general
Napoleon|emperor
Augustus|emperor
Nero|emperor
Alexander the Great|king
Tutankhamun|pharaoh
Cleopatra|queen
Abraham Lincoln|president
George Washington|president
Winston Churchill|prime minister
Bismarck|chancellor
Joan of Arc|saint
Houdini|magician
Christopher Wren|architect
Antoni Gaudi|architect
"""

# feast | date
FEASTS = """
Christmas Day|25 December
Christmas Eve|24 December
Boxing Day|26 December
New Year's Day|1 January
New Year's Eve|31 December
Valentine's Day|14 February
Saint Patrick's Day|17 March
Saint George's Day|23 April
April Fools' Day|1 April
May Day|1 May
Halloween|31 October
All Saints' Day|1 November
Saint Nicholas Day|6 December
Bonfire Night|5 November
Bastille Day|14 July
Independence Day in the United States|4 July
Epiphany|6 January
Canada Day|1 July
Australia Day|26 January
"""

# paints mixed | colour
MIXES = """
red and blue|purple
red and yellow|orange
blue and yellow|green
red and white|pink
black and white|grey
yellow and blue|green
blue and red|purple
yellow and red|orange
white and red|pink
white and black|grey
"""

# food | main ingredient
INGREDIENTS = """
bread|flour
toast|bread
butter|cream
cheese|milk
yogurt|milk
tofu|soybeans
omelettes|eggs
meringue|egg whites
hummus|chickpeas
falafel|chickpeas
guacamole|avocado
ketchup|tomatoes
gazpacho|tomatoes
wine|grapes
raisins|grapes
prunes|plums
cider|apples
apple pie|apples
chips|potatoes
crisps|potatoes
mashed potato|potatoes
gnocchi|potatoes
sushi|rice
risotto|rice
paella|rice
sake|rice
rice pudding|rice
popcorn|maize
polenta|maize
porridge|oats
pasta|wheat
couscous|wheat
bulgur|wheat
chocolate|cocoa beans
marzipan|almonds
tahini|sesame seeds
peanut butter|peanuts
pickles|cucumbers
sauerkraut|cabbage
coleslaw|cabbage
kimchi|cabbage
borscht|beetroot
bacon|pork
ham|pork
hamburgers|beef
beef stew|beef
caviar|fish eggs
fish fingers|fish
lemonade|lemons
marmalade|oranges
jam|fruit
honey|nectar
rum|sugar cane
tequila|agave
maple syrup|maple sap
mustard|mustard seeds
olive oil|olives
whipped cream|cream
custard|milk
onion soup|onions
pumpkin pie|pumpkin
oatmeal|oats
beer|barley
rye bread|rye
candyfloss|sugar
caramel|sugar
lentil soup|lentils
dal|lentils
miso|soybeans
soy sauce|soybeans
French fries|potatoes
hash browns|potatoes
salami|pork
tomato soup|tomatoes
mozzarella|milk
"""


# sport | players of one side on the field
TEAMS = """
football|11
cricket|11
field hockey|11
basketball|5
volleyball|6
beach volleyball|2
ice hockey|6
baseball|9
handball|7
netball|7
water polo|7
polo|4
rugby union|15
rugby league|13
curling|4
"""

# sport | what a player holds or wears for it, with its article
GEAR = """
tennis|a racket
badminton|a racket
squash|a racket
baseball|a bat
cricket|a bat
table tennis|a bat
golf|a club
hockey|a stick
snooker|a cue
archery|a bow
croquet|a mallet
polo|a mallet
"""

# sport | what is hit, kicked or thrown
OBJECTS = """
football|a ball
tennis|a ball
basketball|a ball
rugby|a ball
badminton|a shuttlecock
ice hockey|a puck
darts|a dart
archery|an arrow
curling|a stone
"""

# things | what they are usually made of
MATERIALS = """
windows|glass
mirrors|glass
wine bottles|glass
test tubes|glass
greenhouses|glass
tyres|rubber
balloons|rubber
erasers|rubber
bricks|clay
roof tiles|clay
candles|wax
crayons|wax
coins|metal
keys|metal
swords|steel
books|paper
newspapers|paper
envelopes|paper
jeans|denim
sweaters|wool
mittens|wool
towels|cotton
bandages|cotton
shoes|leather
belts|leather
saddles|leather
wallets|leather
planks|wood
barrels|wood
violins|wood
matchsticks|wood
log cabins|wood
igloos|snow
snowmen|snow
sails|cloth
curtains|cloth
church bells|bronze
wedding rings|gold
"""


LISTS: dict[str, list[str]] = {
    "tools": "hammer saw chisel spade drill axe".split(),
    "instruments": "piano guitar violin flute trumpet drum".split(),
    "string instruments": "violin cello guitar harp".split(),
    "wind instruments": "flute clarinet trumpet oboe".split(),
    "sports": "tennis football rugby golf boxing hockey".split(),
    "ball games": "tennis football rugby golf basketball".split(),
    "clothes": "shirt coat hat sock scarf glove".split(),
    "pieces of furniture": "table chair bed sofa desk stool".split(),
    "vehicles": "car bus tram lorry van bicycle".split(),
    "boats": "canoe kayak yacht ferry raft".split(),
    "drinks": "tea coffee milk juice water lemonade".split(),
    "games": "chess poker draughts dominoes bingo".split(),
    "dances": "waltz tango polka samba ballet".split(),
    "jobs": "baker teacher doctor farmer nurse pilot".split(),
    "buildings": "church castle school museum palace barn".split(),
    "shapes": "circle square triangle oval cube cone".split(),
    "fabrics": "cotton silk wool linen velvet".split(),
    "cheeses": "cheddar brie gouda feta edam".split(),
    "kinds of pasta": "spaghetti macaroni ravioli penne lasagne".split(),
    "weapons": "sword spear dagger rifle cannon".split(),
    "feelings": "anger joy fear sadness envy".split(),
    "sciences": "physics chemistry biology astronomy geology".split(),
    "composers": "Mozart Bach Beethoven Verdi Chopin Haydn".split(),
    "painters": "Rembrandt Picasso Monet Raphael Goya".split(),
    "philosophers": "Plato Socrates Aristotle Kant Descartes".split(),
    "explorers": "Columbus Magellan Cook Amundsen".split(),
    "writers": "Shakespeare Dickens Austen Tolstoy Kafka".split(),
    "meals": "breakfast lunch dinner supper".split(),
    "foods": "bread cheese rice pasta soup cake".split(),
    "school subjects": "history geography biology music art".split(),
    "rooms": "kitchen bedroom bathroom hall cellar".split(),
    "toys": "doll ball kite puzzle train".split(),
    "parts of a house": "roof wall door window chimney".split(),
    "things in a kitchen": "oven fridge kettle spoon pan".split(),
    "things in a classroom": "desk chair book pencil ruler".split(),
}


# What else is right, by entity or (for callings) by value.
WORKPLACES_ALSO = {"doctor": ("a hospital",), "surgeon": ("a hospital",), "lifeguard": ("a swimming pool",)}
GEAR_ALSO = {"table tennis": ("a paddle", "a racket")}
INGREDIENTS_ALSO = {"custard": ("eggs",), "meringue": ("sugar",), "butter": ("milk",), "pasta": ("flour",)}
CALLINGS_ALSO = {"novelist": ("writer", "author"), "playwright": ("writer", "dramatist"), "poet": ("writer",)}
PEOPLE_ALSO = {
    "Leonardo da Vinci": ("inventor", "artist"), "Michelangelo": ("painter", "artist"),
    "Isaac Newton": ("physicist", "mathematician"), "Albert Einstein": ("physicist",),
    "Charles Darwin": ("naturalist", "biologist"), "Galileo Galilei": ("astronomer", "physicist"),
    "Michael Faraday": ("physicist",), "Niels Bohr": ("physicist",), "Max Planck": ("physicist",),
    "Louis Pasteur": ("chemist",), "Julius Caesar": ("statesman",), "Neil Armstrong": ("pilot",),
}  # fmt: skip
DISCOVERERS_ALSO = {"radium": ("Pierre Curie",), "polonium": ("Pierre Curie",)}


def _relations() -> tuple[Relation, ...]:
    kinds = {member: kind for kind, members in rows(KINDS) for member in members.split()}
    callings = {
        person: CALLINGS_ALSO[calling]
        for person, calling in column(PEOPLE, 1).items()
        if calling in CALLINGS_ALSO
    }
    return (
        Relation(
            "definition", "thing", "meaning",
            ("What is {ae}?", "What does the word {e} mean?", "Explain the word {e}.",
             "Define the word {e}."),
            ("The word {e} means {v}.", "{ae} is {v}."),
            column(DEFINITIONS, 1),
            ("And its meaning?", "What does it mean?"),
        ),
        Relation(
            "kind", "thing", "kind",
            ("What kind of thing is {ae}?", "What sort of thing is {ae}?",
             "What kind of thing does the word {e} name?"),
            ("The word {e} names {av}.", "{ae} is {av}."),
            kinds,
            ("And what kind of thing is it?",),
        ),
        Relation(
            "use", "thing", "use",
            ("What is {ae} used for?", "What do people use {ae} for?", "What is the use of {ae}?"),
            ("The use of {ae} is {v}.", "{ae} is used for {v}."),
            column(USES, 1),
            ("And its use?", "What is it used for?"),
        ),
        Relation(
            "made_of", "things", "material",
            ("What are {e} made of?", "Which material are {e} made of?"),
            ("The usual material of {e} is {v}.", "{e} are made of {v}."),
            column(MATERIALS, 1),
        ),
        Relation(
            "workplace", "thing", "place of work",
            ("Where does {ae} work?", "What is the workplace of {ae}?"),
            ("The workplace of {ae} is {v}.",),
            column(JOBS, 1),
            ("And the workplace?", "And where is the work done?"),
            WORKPLACES_ALSO,
        ),
        Relation(
            "work", "thing", "work",
            ("What does {ae} do?", "What is the work of {ae}?", "What is the job of {ae}?"),
            ("The work of {ae} is {v}.",),
            column(JOBS, 2),
            ("And the work?", "And what is the work?"),
        ),
        Relation(
            "author", "book", "author",
            ("Who wrote {e}?", "Who is the author of {e}?", "By whom is {e}?"),
            ("The author of {e} is {v}.", "{e} was written by {v}."),
            column(BOOKS, 1),
            ("And its author?", "Who wrote it?"),
        ),
        Relation(
            "composer", "music", "composer",
            ("Who composed {e}?", "Who is the composer of {e}?"),
            ("The composer of {e} is {v}.", "{e} was composed by {v}."),
            column(COMPOSERS, 1),
            ("And its composer?",),
        ),
        Relation(
            "artist", "picture", "painter",
            ("Who painted {e}?", "Who is the painter of {e}?"),
            ("The painter of {e} is {v}.", "{e} was painted by {v}."),
            column(PAINTERS, 1),
            ("And its painter?",),
        ),
        Relation(
            "inventor", "invention", "inventor",
            ("Who invented {e}?", "Who is the inventor of {e}?"),
            ("The inventor of {e} is {v}.", "{e} was invented by {v}."),
            column(INVENTORS, 1),
            ("And its inventor?",),
        ),
        Relation(
            "discoverer", "discovery", "discoverer",
            ("Who discovered {e}?", "Who is the discoverer of {e}?"),
            ("The discoverer of {e} is {v}.", "{e} was discovered by {v}."),
            column(DISCOVERERS, 1),
            ("And its discoverer?",),
            DISCOVERERS_ALSO,
        ),
        Relation(
            "person", "person", "calling",
            ("Who was {e}?", "What was {e}?", "What was the calling of {e}?"),
            ("The famous {e} was {av}.", "{e} was {av}."),
            column(PEOPLE, 1),
            ("And the calling?",),
            callings | PEOPLE_ALSO,
        ),
        Relation(
            "date", "feast", "date",
            ("On which date is {e}?", "When is {e}?", "What is the date of {e}?"),
            ("The date of {e} is {v}.", "{e} is on {v}."),
            column(FEASTS, 1),
        ),
        Relation(
            "mix", "mix", "colour",
            ("What colour do {e} make?", "Which colour comes from mixing {e}?"),
            ("The mix of {e} is {v}.", "Mixing {e} makes {v}."),
            column(MIXES, 1),
        ),
        Relation(
            "ingredient", "food", "main ingredient",
            ("What is the main ingredient of {e}?", "What is mainly used to make {e}?"),
            ("The main ingredient of {e} is {v}.",),
            column(INGREDIENTS, 1),
            ("And its main ingredient?",),
            INGREDIENTS_ALSO,
        ),
        Relation(
            "team", "sport", "number of players",
            ("How many players does a team have in {e}?", "How many players make a team in {e}?"),
            ("The number of players of a team in {e} is {v}.",),
            column(TEAMS, 1),
            ("And how many players are in a team?",),
        ),
        Relation(
            "gear", "sport", "gear",
            ("What does a player hold in {e}?", "What is held in the hand in {e}?"),
            ("The thing held in {e} is {v}.",),
            column(GEAR, 1),
            ("And what does a player hold?",),
            GEAR_ALSO,
        ),
        Relation(
            "object", "sport", "thing that is played with",
            ("What is hit or thrown in {e}?", "What flies or slides in {e}?"),
            ("The thing hit or thrown in {e} is {v}.",),
            column(OBJECTS, 1),
            ("And what is hit or thrown?",),
        ),
    )  # fmt: skip


RELATIONS: tuple[Relation, ...] = _relations()
