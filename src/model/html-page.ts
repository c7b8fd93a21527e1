const frame = `
:root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}
body{margin:2rem auto;max-width:75rem;padding:0 1rem}
.wide{overflow-x:auto}
table{border-collapse:collapse}
th,td{border:1px solid #8886;padding:.35rem .6rem;text-align:left;vertical-align:top}
thead th{position:sticky;top:0;background:Canvas}
small{color:GrayText}`;

/** A page that needs nothing else: no script, no font, no address, and its policy allows none. `style` and `body` go in as they are. */
export function htmlPage(title: string, style: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>${escapedHtml(title)}</title>
<style>${frame}${style}
</style>
</head>
<body>
<h1>${escapedHtml(title)}</h1>
${body}
</body>
</html>
`;
}

/** Text as HTML shows it, in elements and in attributes. */
export function escapedHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
