"""What no page may claim."""

import re

CLAIMS = re.compile(
    r"\b(?:compl(?:y|ies|ied|iant|iance)|conform|guarantee|ensure|prove[sn]?\b|certifie|satisf|fulfil)\w*", re.I
)
