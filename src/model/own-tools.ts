/** The tool of an endpoint with tool search that finds others. */
export const findToolName = 'find_tool';
/** The tool of an endpoint with tool search that calls one that was found. */
export const callToolName = 'call_tool';
