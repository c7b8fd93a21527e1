# METADATA
# title: Types for everything below
# description: With it, `opa check --schema policies/schemas` finds a misspelt field of the input in any file of this tree.
# scope: subpackages
# schemas:
#   - input: schema.input
package lib
