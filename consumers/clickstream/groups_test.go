package clickstream

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"testing"
)

// TestPropertyGroups: each group has all the keys of the switches that read it, and no other.
func TestPropertyGroups(t *testing.T) {
	t.Parallel()
	readers := map[string]uint8{"facts.readTrade": groupTrade, "facts.readProduct": groupProduct, "product.read": groupProduct, "facts.readPage": groupPage,
		"facts.readMessage": groupMessage, "facts.readOther": groupOther, "survey.read": groupSurvey}
	want := map[string]uint8{}
	for _, name := range []string{"facts.go", "trade.go", "survey.go"} {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil {
				continue
			}
			group, ok := readers[f.Recv.List[0].Type.(*ast.StarExpr).X.(*ast.Ident).Name+"."+f.Name.Name]
			if !ok {
				continue
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if clause, ok := n.(*ast.CaseClause); ok {
					for _, e := range clause.List {
						word, err := strconv.Unquote(e.(*ast.BasicLit).Value)
						if err != nil {
							t.Error(err)
						}
						want[word] |= group
					}
				}
				return true
			})
		}
	}
	if len(want) < 50 {
		t.Fatalf("found %d keys", len(want))
	}
	for word, group := range want {
		if got := propertyGroups.Of(word); got != group {
			t.Errorf("%s is of the groups %b, and read as of %b", word, got, group)
		}
	}
	if n := propertyGroups.Len(); n != len(want) {
		t.Errorf("%d keys are in groups, and %d are read", n, len(want))
	}
}
