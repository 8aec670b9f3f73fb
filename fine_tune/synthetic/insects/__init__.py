"""How each group is drawn: one function or one row of a table per group, in modules by kinship."""

from fine_tune.synthetic.insects import arachnids, beetles, bugs, crawlers, flies, hoppers, moths, wasps

DRAWERS = {
    **flies.DRAWERS,
    **wasps.DRAWERS,
    **bugs.DRAWERS,
    **hoppers.DRAWERS,
    **arachnids.DRAWERS,
    **beetles.DRAWERS,
    **moths.DRAWERS,
    **crawlers.DRAWERS,
}
