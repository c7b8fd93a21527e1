"""Lists tools and makes two calls with the `mcp` package: prints one JSON object."""

import asyncio
import json
import os
import sys

from mcp import Client
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client


async def main() -> None:
    url, mode, tool, allowed, denied = sys.argv[1:]
    headers = {"Authorization": f"Bearer {os.environ['TOKEN']}"}
    async with create_mcp_http_client(headers=headers) as http:
        async with Client(streamable_http_client(url, http_client=http), mode=mode) as client:
            tools = await client.list_tools()
            answers = []
            for arguments in (allowed, denied):
                answer = await client.call_tool(tool, json.loads(arguments))
                text = "\n".join(part.text for part in answer.content if part.type == "text")
                answers.append({"text": text, "isError": bool(answer.is_error)})
            print(json.dumps({"version": str(client.protocol_version), "tools": [each.name for each in tools.tools], "answers": answers}))


asyncio.run(main())
