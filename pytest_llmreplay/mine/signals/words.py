"""The words that tell, as patterns that RE2 and Python read alike."""

from __future__ import annotations

NOTHING = (
    r"(?i)^\s*(?:\[\s*\]|\{\s*\}|null|none|\"\"|no (?:\w+ )?(?:results?|match(?:es)?|records?|data|entries"
    r"|items?)\b.*)\s*$"
    r"|\bnot found\b|\bno such\b|\bdoes not exist\b|\bno (?:results?|match(?:es)?) (?:were )?found\b"
)
"""A tool's result that says that there is nothing."""

PERSON = (
    r"(?i)\b(?:speak|talk|chat|connect|transfer|escalate|switch|put|pass|hand|get|reach|contact|need|want|give|call|phone"
    r"|complain)\b[^.?!\n]*\b(?:(?:a |an |the |some |another |your |real |live |actual |human )+"
    r"(?:person|human|people|agent|representative|rep|operator|supervisor|manager|advisor|staff|colleague)"
    r"|humans?|some(?:one|body)(?: (?:real|else|human|who|from|to help|on the phone)|\W*$)|in person|customer service"
    r"|human support|support team)\b"
    r"|\b(?:real|live|actual|human) (?:person|human|agent|representative|rep|operator|be+ing|support)\b"
    r"|^\W*(?:(?:an? |the )?(?:human|agent|operator|representative|person|manager|supervisor))\b[^.?!\n]{0,12}$"
    r"|\b(?:one|some(?:one|body)?|any(?:one|body)?) (?:of|from|in|on) (?:your|the) (?:staff|team|people"
    r"|colleagues|support)\b"
    r"|\bsome(?:one|body) who is (?:not|no) an? \w+|\bno (?:more )?(?:bots?|robots?|machines?)\b"
    r"|\b(?:stop|not) (?:this|the|a|talking to an?) (?:bot|robot|machine)\b"
    r"|\b(?:are|r) (?:you|u) (?:an? )?(?:bot|robot|real|human|machine|person)\b|\bhuman (?:please|pls|now|help)\b"
    r"|\b(?:mit )?(?:einem|einer|nem|nen|einen) (?:echten )?(?:Mensch(?:en)?|Mitarbeiter(?:in)?|Person"
    r"|Berater(?:in)?)\b"
)
"""A user who asks for a person."""

FRUSTRATION = (
    r"(?i)\b(?:ridiculous|useless|terrible|horrible|awful|unacceptable|pathetic|frustrat(?:ed|ing)|annoy(?:ed|ing)"
    r"|disappoint(?:ed|ing)|garbage|nonsense|stupid|idiot|worst|waste of (?:my )?time|fed up|sick of|wtf|ffs|damn"
    r"|(?:what|the|go to|bloody|oh) hell"
    r"|shit\w*|fuck\w*|crap|bullshit|joke|furious|angry|unverschämt|nutzlos|lächerlich|scheiße)\b"
    r"|\b(?:you(?:['’]re| are) not (?:listening|helping|understanding|answering)|you (?:don['’]?t|do not) understand"
    r"|that(?:['’]s| is) not what I (?:asked|said|want\w*|meant)|(?:this|that|it) (?:is not|isn['’]?t|does(?: not"
    r"|n['’]?t))"
    r" (?:help\w*|work\w*)|how many times|why (?:can['’]?t|won['’]?t|don['’]?t) you)\b|!!!|\?\?\?|\?!\?"
)
"""A user who is losing patience."""

SAYS_AGAIN = (
    r"(?i)\b(?:(?:as )?I(?:['’]ve| have)? (?:already|just) (?:said|told|asked|mentioned|explained|gave|given"
    r"|answered)"
    r"|as I (?:said|mentioned)|(?:I['’]ll|let me|I) (?:say|ask|repeat) (?:it |that |this |my\w* )?(?:again"
    r"|once more)|like I said"
    r"|I(?:['’]m| am) (?:asking|repeating) (?:again|myself)|I repeat|let me rephrase|I asked (?:for|about|you|if"
    r"|whether|how|what))\b"
)
"""A user who says that it is not the first time."""

INJECTION = (
    r"(?i)\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]*\b(?:previous|prior|above|earlier|preceding"
    r"|all|your|any|system)\b"
    r"[^.\n]*\b(?:instructions?|prompts?|rules?|guidelines|directions|messages?|commands?|context)\b"
    r"|\b(?:reveal|print|show|repeat|output|leak|tell me)\b[^.\n]*\b(?:system|initial|hidden"
    r"|original) (?:prompt|instructions?|message)\b"
    r"|\byou are now (?:in |a |an |DAN|developer|jailbroken|free|unrestricted)|\b(?:developer|DAN|god"
    r"|jailbreak) mode\b"
    r"|\bdo anything now\b|\bpretend (?:you are|to be) (?:an? )?(?:unrestricted|unfiltered|evil|admin\w*|root)\b"
    r"|<\|(?:im_start|im_end|system|endoftext)\|>|\[/?INST\]|<</?SYS>>|</?(?:system|instructions?|admin)>"
    r"|^\s*#{2,} ?(?:system|instructions?)\b"
    r"|\bnew (?:system )?instructions?\s*:|\bsystem (?:override|prompt)\s*:|\b(?:important"
    r"|urgent)[:!]? (?:instructions? )?(?:for|to) (?:the |all )?(?:AI|assistant|LLM|chatbot|language model)s?\b"
)
"""Text that tries to give the model orders."""

CLOSING = (
    r"(?i)\b(?:anything|something|any(?:thing)? (?:other|further)|any (?:other|more|further) \w+|what) else\b"
    r"|\belse (?:I|we) can\b"
    r"|\b(?:further|other|more) (?:help|assistance|questions?)\b|\bhow (?:else )?(?:can|may) I (?:help|assist)\b"
    r"|\bsonst noch\b"
)
"""A question that only closes a conversation."""
