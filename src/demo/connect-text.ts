/** How to connect one's own client to the running demo: commands to copy, with a development token. */
export function connectText(endpoint: string, url: string, token: string, policyFolder: string): string {
  const cursor = JSON.stringify({ mcpServers: { castellan: { url: endpoint, headers: { Authorization: `Bearer ${token}` } } } });
  const code = JSON.stringify({ name: 'castellan', type: 'http', url: endpoint, headers: { Authorization: `Bearer ${token}` } });
  return `
The gateway goes on serving at ${endpoint}
as alice, with a token for eight hours. Connect a client of your own:

  Claude Code     claude mcp add --transport http castellan ${endpoint} --header "Authorization: Bearer ${token}"
  VS Code         code --add-mcp '${code}'
  Cursor          put this into ~/.cursor/mcp.json:
                  ${cursor}
  MCP inspector   npx @modelcontextprotocol/inspector --cli ${endpoint} --transport http --method tools/list --header "Authorization: Bearer ${token}"

Edit the policy in ${policyFolder}; a change is in force a moment after it is saved.
Approve held calls as sofia: castellan login --server ${url}, then castellan approvals list.
Stop with Ctrl-C.
`;
}
