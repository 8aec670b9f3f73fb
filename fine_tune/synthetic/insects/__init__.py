"""How each group is drawn: one function per group, in modules by kinship."""

from fine_tune.synthetic.insects import arachnids, beetles, bugs, flies, hoppers, moths, wasps

DRAWERS = {
    **flies.DRAWERS,
    **wasps.DRAWERS,
    **bugs.DRAWERS,
    **hoppers.DRAWERS,
    **arachnids.DRAWERS,
    **beetles.DRAWERS,
    **moths.DRAWERS,
}
