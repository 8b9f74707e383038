package audience

import (
	"github.com/expr-lang/expr/ast"

	"github.com/seamline/seamline/schemas"
)

// groups tells which group of a profile's fields each name of the environment belongs to.
var groups = map[string]schemas.Fields{
	"stage": schemas.FieldsStage, "stage_since": schemas.FieldsStage,
	"first_seen": schemas.FieldsSeen, "last_seen": schemas.FieldsSeen, "events": schemas.FieldsSeen,
	"web_events": schemas.FieldsSeen, "app_events": schemas.FieldsSeen, "store_events": schemas.FieldsSeen,
	"web_last_seen": schemas.FieldsSeen, "app_last_seen": schemas.FieldsSeen, "store_last_seen": schemas.FieldsSeen,
	"sessions": schemas.FieldsSessions, "product_views": schemas.FieldsViews, "searches": schemas.FieldsSearches,
	"orders": schemas.FieldsOrders, "store_orders": schemas.FieldsOrders, "online_orders": schemas.FieldsOrders,
	"refunds": schemas.FieldsOrders, "purchase_days": schemas.FieldsOrders, "revenue": schemas.FieldsOrders,
	"currency": schemas.FieldsOrders, "first_order": schemas.FieldsOrders, "last_order": schemas.FieldsOrders,
	"cart_skus": schemas.FieldsCart, "cart_quantity": schemas.FieldsCart, "cart_value": schemas.FieldsCart,
	"cart_updated": schemas.FieldsCart, "checkout_at": schemas.FieldsCheckout,
	"user_ids": schemas.FieldsIdentity, "loyalty_ids": schemas.FieldsIdentity, "emails": schemas.FieldsIdentity,
	"phones": schemas.FieldsIdentity, "cards": schemas.FieldsIdentity, "devices": schemas.FieldsIdentity,
	"anonymous_ids": schemas.FieldsIdentity,
	"emails_sent":   schemas.FieldsMessages, "email_opens": schemas.FieldsMessages, "email_clicks": schemas.FieldsMessages,
	"email_bounces": schemas.FieldsMessages, "unsubscribes": schemas.FieldsMessages, "complaints": schemas.FieldsMessages,
	"last_open": schemas.FieldsMessages, "last_click": schemas.FieldsMessages,
	"idle": schemas.FieldsClock, "within": schemas.FieldsClock,
}

// readsOf gives the groups that an expression reads.
func readsOf(node ast.Node) schemas.Fields {
	var r reads
	ast.Walk(&node, &r)
	return schemas.Fields(r)
}

type reads schemas.Fields

// Visit implements ast.Visitor.
func (r *reads) Visit(node *ast.Node) {
	if name, ok := (*node).(*ast.IdentifierNode); ok {
		*r |= reads(groups[name.Value])
	}
}

// choice gives the rules to look at when some fields may have changed. There are few different sets of fields, so that each choice is
// made once.
type choice map[schemas.Fields]chosen

// chosen are the audiences to look at, and all that their rules read.
type chosen struct {
	rules []uint32
	reads schemas.Fields
}

// of gives the audiences whose rules read any of some fields.
func (c choice) of(changed schemas.Fields, s *Stage) chosen {
	if found, ok := c[changed]; ok {
		return found
	}
	var found chosen
	for _, i := range s.active {
		if reads := s.audiences[i].rule.reads; reads&changed != 0 {
			found.rules, found.reads = append(found.rules, i), found.reads|reads
		}
	}
	c[changed] = found
	return found
}
