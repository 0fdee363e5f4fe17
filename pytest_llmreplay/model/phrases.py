"""Phrases that tell of a failure, in what tools and assistants say: patterns that RE2 and Python read alike."""

from __future__ import annotations

ERROR_START = (
    r"^[\s*#\[<(]{0,3}(?:(?:(?:http|request|tool|call|api|internal|server|internal server|database|connection|network"
    r"|validation) )?\w*(?:error|exception|traceback|failed|failure|time-?out|timed out)\b"
    r"|http(?:/[\d.]+)?:? (?:status:? )?(?:code:? )?[45]\d\d\b)"
)
"""How a tool's result begins that says that the call failed; without regard to case."""

ERROR_FIELD = (
    r"\"(?:(?:error|errors|exception|error_message)\"\s*:\s*(?:\"[^\"]|\{\s*\"|\[\s*[^\]\s]|true|[1-9])"
    r"|(?:status|state|result)\"\s*:\s*\"(?:error|failed|failure)\"|(?:success|ok)\"\s*:\s*false"
    r"|is_?error\"\s*:\s*true|(?:status|status_?code|http_status)\"\s*:\s*\"?[45]\d\d\b)"
)
"""A field of a tool's result that says so; without regard to case. All begin alike, by which RE2 finds them quickly."""

ERROR = rf"(?i){ERROR_START}|{ERROR_FIELD}"
"""A tool's result that says that the call failed."""

SAYS_TROUBLE = (
    r"(?i)\b(?:errors?|sorry|apolog\w*|unable|fail\w*|problems?|issues?|trouble|unfortunately|couldn['’]?t|can['’]?t"
    r"|cannot|could not|can not|was not able|were not able|not able|wasn['’]?t able|not possible|impossible"
    r"|did not work"
    r"|didn['’]?t work|went wrong|not found|no (?:results?|match(?:es)?)|invalid|does(?: not|n['’]t) exist"
    r"|not available"
    r"|unavailable|try again|leider|fehler|nicht möglich|konnte nicht|entschuldigung)\b"
)
"""An answer that tells the user that something did not work."""

REFUSAL = (
    r"(?i)\bI(?:['’]m| am) (?:really |very |so )?(?:sorry|afraid)[,.]?(?: but)? (?:that )?(?:I )?(?:can(?:['’]t"
    r"|not| not)"
    r"|am (?:unable|not able)|['’]m (?:unable|not able)|won['’]t|will not)"
    r"|\bI (?:can(?:['’]t|not| not)|am unable to|am not able to|won['’]t be able to) (?:help|assist|do that"
    r"|answer|provide"
    r"|discuss|comply|fulfil|process|support|continue|engage|share|give|accommodate|proceed)"
    r"|\bI['’]m (?:unable|not able|not allowed|not permitted) to\b|\bI (?:must|have to) (?:decline|refuse)\b"
    r"|\bas an AI\b|\bas a (?:large )?language model\b|\b(?:against|violates?) (?:my|our) (?:guidelines|policy"
    r"|policies)\b"
    r"|\b(?:dabei|damit) kann ich (?:Ihnen |dir )?(?:leider )?nicht helfen\b"
)
"""An answer that declines."""
