"""robosac's learner and replay beside other projects', on one computer in one run.

Nothing else of robosac imports from here, and what is measured against is imported inside functions
alone: robosac depends on none of them.
"""
