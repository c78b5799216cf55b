"""What the filters' symbols are about: the codes of the lint's rules that foresee them."""

import re

WORDS = ["text_charged", "text_bait", "subject_bait"]
PICTURES = ["image_only", "image_heavy", "image_short"]
NAMES = ["from_name_address", "from_name_repeats"]
FILES = ["attachment_blocked", "attachment_active", "attachment_disguised", "attachment_double_ending"]

# A symbol's name, as a regular expression, and the codes. The first that fits counts.
RULES = [(re.compile(name), codes) for name, codes in [
    # ---- both, or names that either might have ----
    ("SUBJ_ALL_CAPS", ["subject_shouting"]),
    ("MISSING_SUBJECT|EMPTY_SUBJECT", ["no_subject"]),
    ("FAKE_REPLY.*", ["subject_false_reply"]),
    ("(NORMAL_)?HTTP_TO_IP|NUMERIC_HTTP_ADDR|IP_LINK_PLUS|R_SUSPICIOUS_URL|(HAS_|URL_NUMERIC_)IP.*", ["link_ip"]),
    # ---- SpamAssassin: pictures, markup, what is hidden ----
    ("HTML_IMAGE_ONLY_.*|HTML_SHORT_LINK_IMG_.*", PICTURES),
    ("HTML_FONT_LOW_CONTRAST", ["hidden_colour", "background_unread"]),
    ("HTML_FONT_(TINY|SIZE_NONE)|HTML_TEXT_INVISIBLE_FONT|FONT_INVIS_.*", ["hidden_tiny", "hidden_text"]),
    ("HTML_TEXT_INVISIBLE_STYLE|T_HIDDEN_WORD", ["hidden_text"]),
    ("HTML_OBFUSCATE_.*|HTML_SHRT_CMNT_OBFU_.*|UNICODE_OBFU_.*", ["zero_width", "hidden_text", "homoglyph"]),
    ("MIXED_HREF_CASE|CONTENT_AFTER_HTML.*|HTML_TAG_BALANCE_.*", ["markup_odd"]),
    ("HTML_EMBEDS|HTML_IFRAME.*", ["frame"]),
    ("HTML_FORMACTION.*", ["form"]),
    ("HIDE_WIN_STATUS|JS_.*", ["script", "event_handler"]),
    ("MPART_ALT_DIFF.*", ["text_unlike"]),
    # ---- SpamAssassin: links ----
    ("WEIRD_PORT", ["link_port"]),
    ("HTTP_ESCAPED_HOST", ["link_escaped"]),
    ("HTTPS_HTTP_MISMATCH|URI_PHISH|T_PDS_.*SPOOFED_URL", ["link_text"]),
    # ---- SpamAssassin: sender and subject ----
    ("FREEMAIL_(FORGED_)?REPLYTO|MONEY_FREEMAIL_REPTO|BIGNUM_EMAILS_FREEM", ["reply_to_domain"]),
    ("FROMNAME_SPOOF|T_PDS_FROM_2_EMAILS|POSSIBLE_PAYPAL_PHISH_.*", ["from_name_address", "from_mixed_script"]),
    ("PLING_QUERY|SUBJ_DOLLARS", ["subject_signs", "subject_money"]),
    ("GAPPY_SUBJECT", ["subject_spaced"]),
    # ---- SpamAssassin: words ----
    ("UPPERCASE_.*", ["text_shouting"]),
    ("(LOTS_OF|XFER_LOTSA|T)_MONEY.*|MONEY_.*|ADVANCE_FEE_.*_MONEY|MILLION_.*|BILLION_.*|US_DOLLARS_.*|NA_DOLLARS",
     ["text_money", *WORDS]),
    ("PERCENT_RANDOM", ["placeholder"]),
    ("FUZZY_.*|OBFU_.*|MIXED_ES", ["homoglyph", "zero_width", *WORDS]),
    ("DRUGS?_.*|ADVANCE_FEE_.*|BANG_GUAR|GUARANTEED_.*|BAD_CREDIT|DEAR_.*|FREE_QUOTE_.*|UNCLAIMED_MONEY|URG_BIZ|"
     "RISK_FREE|ACT_NOW_CAPS|NOT_SPAM|MONEY_BACK|ONLINE_PHARMACY|TVD_VISIT_PHARMA|NO_PRESCRIPTION|IMPOTENCE|"
     "BODY_ENHANCEMENT.*|DIET_.*|SUBJECT_(DIET|DRUG.*)|MORE_SEX|LOW_PRICE|FIN_FREE|SUBJ_(BUY|AS_SEEN)|HK_SCAM|"
     "EXCUSE_.*|END_FUTURE_EMAILS|THIS_AD|ONE_TIME|MARKETING_PARTNERS|TVD_(APPROVED|INCREASE_SIZE)|INTRODUCTION|"
     "PHISH_EMOTION|LEAKED_PASSWORD_SCAM.*", WORDS),
    # ---- SpamAssassin: attachments ----
    ("MALW_ATTACH|T_(OBFU|ISO|HTML)_.*ATTACH", FILES),
    # ---- Rspamd ----
    ("R_WHITE_ON_WHITE", ["hidden_colour"]),
    ("ZERO_FONT|MANY_INVISIBLE_PARTS", ["hidden_tiny", "hidden_text", "hidden_colour"]),
    ("R_SUSPICIOUS_IMAGES|R_EMPTY_IMAGE|HTML_SHORT_LINK_IMG.*", PICTURES),
    ("R_PARTS_DIFFER", ["text_unlike"]),
    ("SUBJECT_(END|HA)S_EXCLAIM", ["subject_signs"]),
    ("SUBJECT_ENDS_QUESTION", ["subject_question"]),
    ("SUBJECT_HAS_CURRENCY", ["subject_money"]),
    ("PHISHING|URL_USER_PASSWORD", ["link_text"]),
    (".*HOMOGRAPH.*|R_MIXED_CHARSET_URL|OMOGRAPH_URL", ["link_mixed_script"]),
    ("R_MIXED_CHARSET", ["homoglyph", "from_mixed_script"]),
    ("ZERO_WIDTH_SPACE_URL|URL_ZERO_WIDTH_SPACES", ["zero_width"]),
    ("REDIRECTOR_URL.*", ["link_shortener"]),
    ("FROM_NEQ_DISPLAY_NAME|SPOOF_DISPLAY_NAME|FROM_DN_EQ_ADDR", NAMES),
    ("SPOOF_REPLYTO|(FREEMAIL_)?REPLYTO_(DOM_)?NEQ_FROM.*", ["reply_to_domain"]),
    ("(HAS_)?EXT(ERNAL)?_CSS", ["external_css"]),
    ("(HAS_)?DATA_URI.*", ["data_image"]),
    ("HTML_META_REFRESH_URL", ["refresh"]),
    ("HAS_ONCLICK|SCRIPT_IN_HTML", ["script", "event_handler"]),
    ("MIME_ENCRYPTED_ARCHIVE|ENCRYPTED_ARCHIVE", ["attachment_locked"]),
    ("MIME_(DOUBLE_)?BAD_.*|MIME_OBFUSCATED_ARCHIVE|EXE_.*", FILES),
]]

# What says nothing of what a request's author wrote.
LEFT_OUT = {
    "how the mail went (there is no server before the filter), and what only DNS or learning tells": re.compile(
        "NO_RE(LAYS|CEIVED)|ALL_TRUSTED|RCVD_.*|HFILTER_.*|ONCE_RECEIVED|DIRECT_TO.*|R_?(SPF|DKIM)_.*|DMARC_.*|ARC_.*|"
        "BAYES_.*|FREEMAIL_(FROM|REPLY|REPLYTO_END_DIGIT)|MISSING_(DATE|TO|FROM)|GTUBE"),
    "how Postern writes a mail (its Message-ID, its MIME structure)": re.compile(
        "(FORGED_MSGID|MID)_.*|MISSING_MID|HTML_MESSAGE|MIME_(HTML_ONLY|HTML_MOSTLY|BASE64_TEXT.*|GOOD|TRACE)|"
        "LIST_PARTIAL.*"),
    "which letters an address has": re.compile("HK_RANDOM_.*|FROM_LOCAL_.*|FROM_(OFFERS|SERVICE_ACCT|INVALID)|APOSTROPHE_FROM"),
}


def codes_for(symbol):
    """The codes that foresee it; empty: there is no rule; None: it is left out."""
    if any(pattern.fullmatch(symbol) for pattern in LEFT_OUT.values()):
        return None
    return next((codes for name, codes in RULES if name.fullmatch(symbol)), [])
