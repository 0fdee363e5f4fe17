"""A stand-in for your application: two versions of a support bot that decides which tool to call.

Put your own function in its place: it gets OpenAI-style messages, the tools and `replay`, and returns an assistant
message, text, or a list of messages. `await replay.tool(name, args)` answers a tool call from what production recorded.
"""


def answer_v1(messages, tools, replay):
    """The version in production: it looks for a product whatever the customer asks."""
    if messages[-1]["role"] == "tool":
        return "Here is what I found: " + messages[-1]["content"]
    return {"tool_calls": [_call("search_products", '{"query": "help"}')]}


def answer_v2(messages, tools, replay):
    """The next version: it notices that the customer wants a person."""
    if messages[-1]["role"] == "tool":
        return "You are in the queue: " + messages[-1]["content"]
    if "person" in messages[-1]["content"] or "human" in messages[-1]["content"]:
        return {"tool_calls": [_call("transfer_to_human", "{}")]}
    return answer_v1(messages, tools, replay)


def _call(name, arguments):
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}}
