"""A small real application over loopback: log-in, session, memory, tools of its own, streaming."""

import json

from aiohttp import web


class Application:
    """A chatbot that remembers what was said in a session, with a cookie and an id."""

    def __init__(self):
        self.said = {}
        self.seen = []

    def routes(self):
        return [
            web.post("/login", self.login), web.post("/chat", self.chat), web.post("/stream", self.stream),
            web.post("/form", self.form), web.get("/home", self.home),
        ]  # fmt: skip

    async def form(self, request):
        """As browsers log in: the cookie comes with a redirect, and is marked as secure behind a TLS proxy."""
        response = web.Response(status=302, headers={"Location": "/home"})
        response.set_cookie("sid", "f0", secure=True, httponly=True)
        self.said["f0"] = []
        return response

    async def home(self, request):
        if "sid" not in request.cookies:
            return web.json_response({"error": "log in first"}, status=403)
        return web.json_response({"data": {"session": {"id": request.cookies["sid"]}}})

    async def login(self, request):
        if request.headers.get("Authorization") != "Bearer token-123456":
            shown = f"who are you, {request.headers.get('Authorization')} at {request.url}?"
            return web.json_response({"error": shown}, status=401)
        session = f"session-{len(self.said)}"
        self.said[session] = []
        response = web.json_response({"data": {"session": {"id": session}}})
        response.set_cookie("sid", session)
        return response

    async def chat(self, request):
        """Answers with all that was said in the session, and reports its tool calls."""
        body = await request.json()
        session = request.cookies.get("sid")
        if session is None or body.get("session") != session:
            return web.json_response({"error": f"no session for {dict(request.cookies)}"}, status=403)
        self.said[session].append(body["text"])
        self.seen.append(body)
        calls = [{"tool": "look", "input": {"n": len(self.said[session])}}]
        return web.json_response({"reply": {"text": f"you said {self.said[session]}"}, "trace": calls})

    async def stream(self, request):
        """The same, a word at a time."""
        reply = json.loads((await self.chat(request)).body)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        events = [{"delta": f"{word} "} for word in reply["reply"]["text"].split()]
        for event in [{"trace": reply["trace"]}, *events]:
            await response.write(f"data: {json.dumps(event)}\n\n".encode())
        await response.write(b"data: [DONE]\n\n")
        return response
