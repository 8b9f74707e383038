package audience

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/seamline/seamline/schemas"
)

// consentPrefix stands before a purpose in the name of its field.
const consentPrefix = "consent_"

// consentPatcher turns consent("ads_user_data") into the field consent_ads_user_data, so that it costs no call and is compiled as fields are.
type consentPatcher struct{ err error }

// Visit implements ast.Visitor.
func (p *consentPatcher) Visit(node *ast.Node) {
	call, ok := (*node).(*ast.CallNode)
	if !ok {
		return
	}
	if name, ok := call.Callee.(*ast.IdentifierNode); !ok || name.Value != "consent" {
		return
	}
	purpose, err := purposeOf(call)
	if err != nil {
		if p.err == nil {
			p.err = err
		}
		return
	}
	ast.Patch(node, &ast.IdentifierNode{Value: consentPrefix + purpose})
}

// purposeOf gives the purpose that a call of consent names.
func purposeOf(call *ast.CallNode) (string, error) {
	if len(call.Arguments) == 1 {
		if text, ok := call.Arguments[0].(*ast.StringNode); ok {
			known := schemas.PurposeNames()
			if slices.Contains(known, text.Value) {
				return text.Value, nil
			}
			return "", fmt.Errorf("consent: unknown purpose %q; known are %s", text.Value, strings.Join(known, ", "))
		}
	}
	return "", fmt.Errorf("consent takes one purpose as a text, such as consent(%q)", schemas.PurposeAdsUserData)
}
