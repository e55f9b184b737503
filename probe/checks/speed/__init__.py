"""The speed check: does what comes from a site come as fast as it does elsewhere, and as fast as other things come over
this line? Asked only where a page was slow, late or stood still, and the control's was not."""
