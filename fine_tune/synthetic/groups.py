"""The vocabulary of the renderer: groups, their names, species, lengths; shared with training and the catalogue."""

from __future__ import annotations

from dataclasses import dataclass

NONE = "none"


@dataclass(frozen=True, slots=True)
class Species:
    """A species that a group's drawing may stand for.

    `colours`, `pattern` and `feature` limit it to drawings that look like it: one of the colours is the first body
    colour, the pattern is equal, one of the drawing's features contains the words of `feature`. Empty: no limit.
    """

    common: str
    latin: str
    colours: tuple[str, ...] = ()
    pattern: str = ""
    feature: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """One group: singular names (the first is the group's key), species, body length in mm."""

    name: str
    names: tuple[str, ...]
    length_mm: tuple[float, float]
    species: tuple[Species, ...] = ()


def _s(common: str, latin: str, colours: str = "", pattern: str = "", feature: str = "") -> Species:
    return Species(common, latin, tuple(c.strip() for c in colours.split(",") if c.strip()), pattern, feature)


_GREEN = "green,light green,dark green"
_BROWN = "brown,dark brown,reddish brown,tan"
_BLACK = "black,dark grey,dark brown"
_TABLE = (
    Group("aphid", ("aphid", "greenfly", "plant louse", "plant aphid", "aphid pest", "blackfly"), (1.5, 3.5), (
        _s("green peach aphid", "Myzus persicae", "green,light green,pink,pale yellow"),
        _s("black bean aphid", "Aphis fabae", "black,dark grey"),
        _s("cotton aphid", "Aphis gossypii", "green,dark green,yellow,pale yellow,black"),
        _s("potato aphid", "Macrosiphum euphorbiae", "green,light green,pink"),
        _s("cabbage aphid", "Brevicoryne brassicae", "dark grey,green"),
        _s("rose aphid", "Macrosiphum rosae", "green,pink"),
        _s("foxglove aphid", "Aulacorthum solani", "green,light green,pale yellow"),
        _s("bird cherry-oat aphid", "Rhopalosiphum padi", "green,dark green,olive"),
        _s("pea aphid", "Acyrthosiphon pisum", "green,light green,pink"),
        _s("English grain aphid", "Sitobion avenae", "green,light green,reddish brown"),
        _s("woolly apple aphid", "Eriosoma lanigerum", "dark brown,purple,reddish brown"),
        _s("greenbug", "Schizaphis graminum", "light green,green"))),
    Group("whitefly", ("whitefly", "white fly", "white whitefly", "snow fly"), (1.0, 1.6), (
        _s("greenhouse whitefly", "Trialeurodes vaporariorum"), _s("tobacco whitefly", "Bemisia tabaci"),
        _s("silverleaf whitefly", "Bemisia argentifolii"), _s("cabbage whitefly", "Aleyrodes proletella"))),
    Group("thrips", ("thrips", "thunderfly", "thrip", "thunderbug"), (0.8, 1.8), (
        _s("western flower thrips", "Frankliniella occidentalis", "yellow,pale yellow,orange,brown,tan"),
        _s("onion thrips", "Thrips tabaci", "yellow,pale yellow,brown,tan"),
        _s("greenhouse thrips", "Heliothrips haemorrhoidalis", "black,dark brown"),
        _s("melon thrips", "Thrips palmi", "yellow,pale yellow,orange"),
        _s("chilli thrips", "Scirtothrips dorsalis", "yellow,pale yellow"))),
    Group("fungus gnat", ("fungus gnat", "sciarid fly", "dark-winged fungus gnat", "sciarid", "gnat",
        "sciara fly"), (2.0, 4.0), (
        _s("glasshouse sciarid", "Bradysia difformis"), _s("fungus gnat", "Bradysia impatiens"),
        _s("mushroom sciarid", "Lycoriella ingenua"),
        _s("greenhouse fungus gnat", "Bradysia impatiens"))),
    Group("leafminer fly", ("leafminer fly", "leaf miner", "leaf-mining fly", "leafminer", "agromyzid fly"),
        (1.3, 2.5), (
        _s("pea leafminer", "Liriomyza huidobrensis"), _s("American serpentine leafminer", "Liriomyza trifolii"),
        _s("tomato leafminer fly", "Liriomyza bryoniae"), _s("vegetable leafminer", "Liriomyza sativae"),
        _s("South American leafminer", "Liriomyza huidobrensis"))),
    Group("fruit fly", ("fruit fly", "vinegar fly", "pomace fly", "drosophila"), (2.0, 3.5), (
        _s("common fruit fly", "Drosophila melanogaster", feature="red eyes"),
        _s("spotted-wing drosophila", "Drosophila suzukii", feature="dark spot on each wing"),
        _s("Mediterranean fruit fly", "Ceratitis capitata"),
        _s("oriental fruit fly", "Bactrocera dorsalis"),
        _s("olive fruit fly", "Bactrocera oleae"),
        _s("European cherry fruit fly", "Rhagoletis cerasi"),
        _s("melon fly", "Zeugodacus cucurbitae"),
        _s("Mexican fruit fly", "Anastrepha ludens"))),
    Group("house fly", ("house fly", "housefly", "fly", "blow fly", "muscid fly", "true fly"), (5.0, 9.0), (
        _s("common house fly", "Musca domestica", "dark grey,black,grey,dark brown"),
        _s("greenbottle fly", "Lucilia sericata", "metallic green"),
        _s("bluebottle fly", "Calliphora vicina", "metallic blue"),
        _s("cabbage root fly", "Delia radicum", "dark grey,grey,black"),
        _s("hunter fly", "Coenosia attenuata", "grey,dark grey"),
        _s("shore fly", "Scatella stagnalis", "black,dark grey"),
        _s("carrot fly", "Chamaepsila rosae", "black,dark grey,dark brown"),
        _s("onion fly", "Delia antiqua", "grey,dark grey"))),
    Group("hoverfly", ("hoverfly", "hover fly", "syrphid fly", "flower fly", "syrphid"), (7.0, 12.0), (
        _s("marmalade hoverfly", "Episyrphus balteatus"), _s("hoverfly", "Eupeodes corollae"),
        _s("hoverfly", "Sphaerophoria rueppellii"),
        _s("migrant hoverfly", "Eupeodes corollae"),
        _s("sphaerophoria", "Sphaerophoria rueppellii"))),
    Group("mosquito", ("mosquito", "gnat-like mosquito", "culicid", "biting mosquito"), (4.0, 7.0), (
        _s("common house mosquito", "Culex pipiens", "brown,dark brown,tan,grey,dark grey"),
        _s("tiger mosquito", "Aedes albopictus", "black", "banded"))),
    Group("psyllid", ("psyllid", "jumping plant louse", "plant sucker", "psylla"), (1.8, 3.5), (
        _s("pear psyllid", "Cacopsylla pyri", "orange,brown,dark brown,reddish brown"),
        _s("pear psylla", "Cacopsylla pyri", "orange,brown,dark brown,reddish brown"),
        _s("potato psyllid", "Bactericera cockerelli", "brown,dark brown,black"),
        _s("Asian citrus psyllid", "Diaphorina citri", "brown,dark brown,reddish brown", "mottled"),
        _s("carrot psyllid", "Trioza apicalis", "green,light green"),
        _s("African citrus psyllid", "Trioza erytreae", "light green,brown,dark brown,green"))),
    Group("leafhopper", ("leafhopper", "leaf hopper", "jassid", "cicadellid", "hopper"), (2.5, 7.0), (
        _s("green leafhopper", "Empoasca vitis", "green,light green"),
        _s("potato leafhopper", "Empoasca fabae", "green,light green"),
        _s("green rice leafhopper", "Nephotettix cincticeps", "green,light green"),
        _s("aster leafhopper", "Macrosteles quadrilineatus", "yellow,olive,light green,pale yellow"),
        _s("glassy-winged sharpshooter", "Homalodisca vitripennis", "brown"),
        _s("green grape leafhopper", "Empoasca vitis", "green,light green"),
        _s("American grapevine leafhopper", "Scaphoideus titanus", _BROWN),
        _s("green sharpshooter", "Cicadella viridis", "green,light green,metallic green"))),
    Group("plant bug", ("plant bug", "mirid bug", "capsid bug", "mirid", "lygus bug"), (3.0, 7.0), (
        _s("tarnished plant bug", "Lygus lineolaris", _BROWN),
        _s("tarnished plant bug", "Lygus rugulipennis", _BROWN),
        _s("common green capsid", "Lygocoris pabulinus", "green,light green"),
        _s("tomato bug", "Nesidiocoris tenuis", "green,light green"),
        _s("predatory mirid", "Macrolophus pygmaeus", "green,light green"),
        _s("European tarnished plant bug", "Lygus rugulipennis", _BROWN),
        _s("macrolophus", "Macrolophus pygmaeus", "green,light green"),
        _s("minute pirate bug", "Orius laevigatus", "black,dark brown,brown"))),
    Group("stink bug", ("stink bug", "shield bug", "pentatomid", "stinkbug"), (8.0, 17.0), (
        _s("brown marmorated stink bug", "Halyomorpha halys", "brown,tan,grey,dark brown"),
        _s("southern green stink bug", "Nezara viridula", "green"),
        _s("harlequin bug", "Murgantia histrionica", "black", "spotted"),
        _s("green shield bug", "Palomena prasina", "green,dark green"),
        _s("red-banded stink bug", "Piezodorus guildinii", "green,light green"))),
    Group("mealybug", ("mealybug", "mealy bug", "waxy scale insect", "woolly mealybug"), (2.0, 4.5), (
        _s("citrus mealybug", "Planococcus citri"), _s("long-tailed mealybug", "Pseudococcus longispinus"),
        _s("cotton mealybug", "Phenacoccus solenopsis"))),
    Group("mite", ("mite", "spider mite", "plant mite", "acarid mite", "acarine"), (0.4, 0.9), (
        _s("two-spotted spider mite", "Tetranychus urticae", "pale yellow,light green,cream,orange", "spotted"),
        _s("red spider mite", "Tetranychus cinnabarinus", "red,reddish brown,orange"),
        _s("predatory mite", "Phytoseiulus persimilis", "orange,red"),
        _s("European red mite", "Panonychus ulmi", "red,reddish brown"),
        _s("carmine spider mite", "Tetranychus cinnabarinus", "red,reddish brown,orange"))),
    Group("moth", ("moth", "night moth", "miller", "moth pest"), (6.0, 16.0), (
        _s("diamondback moth", "Plutella xylostella", "brown,tan,grey,dark brown"),
        _s("codling moth", "Cydia pomonella", "grey,dark grey,brown", "banded"),
        _s("tomato leafminer moth", "Tuta absoluta", "grey,pale grey,tan,brown", "mottled"),
        _s("cotton bollworm moth", "Helicoverpa armigera", "tan,cream,brown"),
        _s("fall armyworm moth", "Spodoptera frugiperda", "grey,brown,dark brown", "mottled"),
        _s("European grapevine moth", "Lobesia botrana", "tan,cream,brown", "mottled"),
        _s("Indian meal moth", "Plodia interpunctella", "reddish brown,brown,tan", "banded"),
        _s("beet armyworm moth", "Spodoptera exigua", "grey,brown,tan"),
        _s("beet armyworm", "Spodoptera exigua", "grey,brown,tan"),
        _s("oriental fruit moth", "Grapholita molesta", "dark grey,grey,brown,dark brown"),
        _s("European corn borer", "Ostrinia nubilalis", "tan,cream,brown"),
        _s("potato tuber moth", "Phthorimaea operculella", "grey,tan,brown"),
        _s("duponchelia", "Duponchelia fovealis", "brown,dark brown,grey"),
        _s("cabbage looper moth", "Trichoplusia ni", "brown,grey,dark brown"),
        _s("black cutworm moth", "Agrotis ipsilon", "dark brown,brown,dark grey"),
        _s("cabbage moth", "Mamestra brassicae", "brown,dark brown,grey"),
        _s("rice stem borer", "Chilo suppressalis", "tan,cream,brown"),
        _s("box tree moth", "Cydalima perspectalis", "white,cream"),
        _s("tomato leafminer", "Tuta absoluta", "grey,pale grey,tan,brown"),
        _s("cotton bollworm", "Helicoverpa armigera", "tan,cream,brown"),
        _s("fall armyworm", "Spodoptera frugiperda", "grey,brown,dark brown"))),
    Group("butterfly", ("butterfly", "day-flying butterfly", "butterfly with open wings"), (14.0, 26.0), (
        _s("cabbage white butterfly", "Pieris rapae", "white,cream"),
        _s("large white", "Pieris brassicae", "white,cream"),
        _s("painted lady", "Vanessa cardui", "orange"), _s("clouded yellow", "Colias croceus", "yellow"),
        _s("common blue", "Polyommatus icarus", "blue"),
        _s("large white butterfly", "Pieris brassicae", "white,cream"),
        _s("small white butterfly", "Pieris rapae", "white,cream"))),
    Group("caterpillar", ("caterpillar", "larva", "worm", "moth larva", "armyworm", "grub"), (8.0, 30.0), (
        _s("cabbage looper", "Trichoplusia ni", "green,light green"), _s("cotton bollworm", "Helicoverpa armigera"),
        _s("cabbage worm", "Pieris rapae larva", "green,light green"),
        _s("fall armyworm", "Spodoptera frugiperda", "brown,green,grey,tan"))),
    Group("ladybird", ("ladybird", "ladybug", "lady beetle", "ladybird beetle", "coccinellid"), (3.5, 8.0), (
        _s("seven-spot ladybird", "Coccinella septempunctata", "red", "spotted", "7 spots"),
        _s("two-spot ladybird", "Adalia bipunctata", "red,orange", "spotted", "2 spots"),
        _s("harlequin ladybird", "Harmonia axyridis", "orange,red,black"),
        _s("22-spot ladybird", "Psyllobora vigintiduopunctata", "yellow", "spotted"),
        _s("mealybug ladybird", "Cryptolaemus montrouzieri", "black,dark brown,orange"))),
    Group("leaf beetle", ("leaf beetle", "chrysomelid", "chrysomelid beetle", "leaf-eating beetle"), (4.5, 11.0), (
        _s("Colorado potato beetle", "Leptinotarsa decemlineata", "", "striped", "ten black stripes"),
        _s("striped cucumber beetle", "Acalymma vittatum", "yellow,pale yellow,orange", "striped"),
        _s("spotted cucumber beetle", "Diabrotica undecimpunctata", "yellow,light green", "spotted"),
        _s("scarlet lily beetle", "Lilioceris lilii", "red"),
        _s("western corn rootworm", "Diabrotica virgifera virgifera", "yellow,light green,pale yellow"))),
    Group("flea beetle", ("flea beetle", "jumping leaf beetle", "alticine beetle"), (1.7, 3.2), (
        _s("striped flea beetle", "Phyllotreta striolata", "", "striped"),
        _s("crucifer flea beetle", "Phyllotreta cruciferae", "black,metallic blue"),
        _s("turnip flea beetle", "Phyllotreta atra", "black"),
        _s("cabbage stem flea beetle", "Psylliodes chrysocephala", "metallic blue,metallic green,black"))),
    Group("weevil", ("weevil", "snout beetle", "curculionid"), (2.5, 9.0), (
        _s("vine weevil", "Otiorhynchus sulcatus", "black,dark grey,dark brown"),
        _s("rice weevil", "Sitophilus oryzae", _BROWN),
        _s("boll weevil", "Anthonomus grandis", "brown,reddish brown,grey"),
        _s("pea leaf weevil", "Sitona lineatus", "grey,brown,tan"),
        _s("strawberry blossom weevil", "Anthonomus rubi", "black,dark grey"),
        _s("red palm weevil", "Rhynchophorus ferrugineus", "reddish brown,red,orange"),
        _s("grain weevil", "Sitophilus granarius", _BROWN + ",black"))),
    Group("lacewing", ("lacewing", "green lacewing", "neuropteran"), (8.0, 14.0), (
        _s("common green lacewing", "Chrysoperla carnea", "green,light green"),
        _s("brown lacewing", "Micromus angulatus", "brown,tan"))),
    Group("parasitoid wasp", ("parasitoid wasp", "parasitic wasp", "parasitoid", "braconid wasp",
        "chalcid wasp", "ichneumon wasp"), (0.8, 4.5), (
        _s("whitefly parasitoid", "Encarsia formosa", "black,yellow"),
        _s("aphid parasitoid", "Aphidius colemani", "black,brown,dark brown"),
        _s("aphid parasitoid", "Aphidius ervi", "black,dark brown"),
        _s("leafminer parasitoid", "Diglyphus isaea", "metallic green,black"),
        _s("whitefly parasitoid", "Eretmocerus eremicus", "yellow"),
        _s("encarsia", "Encarsia formosa", "black,yellow"),
        _s("aphidius", "Aphidius colemani", "black,brown,dark brown"),
        _s("pea aphid parasitoid", "Aphidius ervi", "black,dark brown"),
        _s("eretmocerus", "Eretmocerus eremicus", "yellow"))),
    Group("wasp", ("wasp", "yellowjacket", "yellow jacket", "vespid wasp", "social wasp"), (10.0, 17.0), (
        _s("common wasp", "Vespula vulgaris", "yellow"), _s("German wasp", "Vespula germanica", "yellow"),
        _s("paper wasp", "Polistes dominula"), _s("European hornet", "Vespa crabro", "orange"))),
    Group("bee", ("bee", "honey bee", "honeybee", "bumblebee", "bumble bee"), (9.0, 16.0), (
        _s("western honey bee", "Apis mellifera"), _s("buff-tailed bumblebee", "Bombus terrestris"),
        _s("honey bee", "Apis mellifera"),
        _s("bumblebee", "Bombus"))),
    Group("ant", ("ant", "worker ant", "formicid", "garden ant"), (2.5, 7.0), (
        _s("black garden ant", "Lasius niger", "black,dark brown"),
        _s("red ant", "Myrmica rubra", "red,reddish brown"),
        _s("Argentine ant", "Linepithema humile", "brown,dark brown"),
        _s("common red ant", "Myrmica rubra", "red,reddish brown"))),
    Group("spider", ("spider", "arachnid", "house spider", "crab spider"), (2.5, 8.0), (
        _s("money spider", "Linyphiidae", "black,dark brown,brown"),
        _s("jumping spider", "Salticidae", feature=""),)),
    Group("grasshopper", ("grasshopper", "locust", "cricket", "katydid", "orthopteran"), (12.0, 32.0), (
        _s("migratory locust", "Locusta migratoria", "brown,tan,green,olive"),
        _s("meadow grasshopper", "Chorthippus parallelus", "green,light green"))),
    Group("earwig", ("earwig", "pincer bug", "dermapteran"), (10.0, 16.0), (
        _s("European earwig", "Forficula auricularia", _BROWN),)),
    Group("planthopper", ("planthopper", "plant hopper", "flatid", "fulgorid"), (2.5, 9.0), (
        _s("brown planthopper", "Nilaparvata lugens", _BROWN),
        _s("white-backed planthopper", "Sogatella furcifera"),
        _s("small brown planthopper", "Laodelphax striatellus", _BROWN),
        _s("citrus flatid planthopper", "Metcalfa pruinosa"),
        _s("spotted lanternfly", "Lycorma delicatula"))),
    Group("scale insect", ("scale insect", "soft scale", "armoured scale", "scale", "coccid"), (1.5, 4.5), (
        _s("brown soft scale", "Coccus hesperidum", _BROWN),
        _s("black scale", "Saissetia oleae", "black,dark brown,dark grey"),
        _s("California red scale", "Aonidiella aurantii", "reddish brown,red,orange"))),
    Group("springtail", ("springtail", "collembolan", "snow flea"), (0.8, 3.0)),
    Group("crane fly", ("crane fly", "cranefly", "daddy longlegs", "leatherjacket fly"), (10.0, 22.0), (
        _s("European crane fly", "Tipula paludosa", "brown,tan,grey"),)),
    Group("midge", ("midge", "gall midge", "non-biting midge", "chironomid", "cecidomyiid"), (1.2, 5.0), (
        _s("swede midge", "Contarinia nasturtii"),
        _s("aphid midge", "Aphidoletes aphidimyza"),
        _s("orange wheat blossom midge", "Sitodiplosis mosellana", "orange"))),
    Group("click beetle", ("click beetle", "elaterid", "wireworm beetle", "skipjack"), (7.0, 14.0), (
        _s("lined click beetle", "Agriotes lineatus", _BROWN),)),
    Group("ground beetle", ("ground beetle", "carabid", "carabid beetle"), (6.0, 18.0)),
    Group("rove beetle", ("rove beetle", "staphylinid", "staphylinid beetle"), (3.0, 12.0), (
        _s("atheta", "Dalotia coriaria", "black,dark brown,brown"),)),
    Group("chafer", ("chafer", "scarab beetle", "scarab", "chafer beetle", "cockchafer"), (8.0, 18.0), (
        _s("Japanese beetle", "Popillia japonica", "metallic green,green"),
        _s("common cockchafer", "Melolontha melolontha", _BROWN),
        _s("garden chafer", "Phyllopertha horticola", _BROWN))),
    Group("bark beetle", ("bark beetle", "scolytid", "ambrosia beetle", "engraver beetle"), (1.8, 5.0), (
        _s("European spruce bark beetle", "Ips typographus", _BROWN + ",black"),
        _s("coffee berry borer", "Hypothenemus hampei", "black,dark brown"),
        _s("granulate ambrosia beetle", "Xylosandrus crassiusculus", "reddish brown,brown"))),
    Group("cicada", ("cicada", "cicala", "singing cicada"), (16.0, 30.0)),
    Group("sawfly", ("sawfly", "tenthredinid", "saw fly"), (5.0, 10.0), (
        _s("turnip sawfly", "Athalia rosae", "orange,yellow"),
        _s("apple sawfly", "Hoplocampa testudinea"))),
    Group("ladybird larva", ("ladybird larva", "ladybug larva", "lady beetle larva"), (4.0, 10.0)),
    Group("lacewing larva", ("lacewing larva", "aphid lion", "antlion-like larva", "chrysopid larva"), (4.0, 9.0)),
    Group("booklouse", ("booklouse", "barklouse", "psocid", "bark louse"), (1.0, 4.0)),
)  # fmt: skip

GROUPS: dict[str, Group] = {group.name: group for group in _TABLE}
GROUP_NAMES: tuple[str, ...] = tuple(GROUPS)
