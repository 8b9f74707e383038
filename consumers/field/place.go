package field

import "strings"

// countryCodes are the ISO 3166-1 alpha-2 codes and XK, each once.
const countryCodes = "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCX" +
	"CYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIRISITJEJMJOJP" +
	"KEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNENFNGNINLNONPNRNUNZOMPAPE" +
	"PFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTFTGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUY" +
	"UZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW"

// currencyCodes are the common ISO 4217 codes, each once, so that folding a currency's case needs no memory.
const currencyCodes = "USDEURGBPJPYCADAUDCHFSEKNOKDKKPLNCZKHUFRONBGNTRYBRLMXNARSCLPCOPPENUYUCNYHKDTWDSGDKRWINRIDRMYRPHPTHBVNDNZDZAR" +
	"NGNKESEGPMADTNDAEDSARQARKWDBHDOMRJODILSUAHGELAMDAZNKZTUZSRSDISKALLMKDBAMPKRBDTLKRNPRMMKGHSTZSUGXXOFXAFRUBBYNCRCGTQDOPBOBPYG"

// countries holds, by the two letters, the position of a country's code in countryCodes plus one; 0 is no country.
var countries = func() (table [26 * 26]uint16) {
	for i := 0; i < len(countryCodes); i += 2 {
		table[int(countryCodes[i]-'A')*26+int(countryCodes[i+1]-'A')] = uint16(i + 1)
	}
	return table
}()

// Country gives the upper-case ISO 3166 alpha-2 code that s holds in any case, and an empty text for anything else. UK reads as GB.
func Country(s string) string {
	if s = strings.TrimSpace(s); len(s) != 2 || !isLetter(s[0]) || !isLetter(s[1]) {
		return ""
	}
	first, second := s[0]&^0x20, s[1]&^0x20
	if first == 'U' && second == 'K' {
		return "GB"
	}
	at := int(countries[int(first-'A')*26+int(second-'A')])
	if at == 0 {
		return ""
	}
	return countryCodes[at-1 : at+1]
}

// Currency gives s in upper case where it has three letters, and an empty text for anything else.
func Currency(s string) string {
	if s = strings.TrimSpace(s); len(s) != 3 || !isLetter(s[0]) || !isLetter(s[1]) || !isLetter(s[2]) {
		return ""
	}
	if (s[0]|s[1]|s[2])&0x20 == 0 {
		return s // all three in upper case
	}
	for i := 0; i < len(currencyCodes); i += 3 {
		if strings.EqualFold(currencyCodes[i:i+3], s) {
			return currencyCodes[i : i+3]
		}
	}
	return strings.ToUpper(s)
}

// URLPath gives the path of a page's address without query and fragment, "/" where the address names only a host, and an empty text
// where s is no address. It aliases s.
func URLPath(s string) string {
	if end := strings.IndexAny(s, "?#"); end >= 0 {
		s = s[:end]
	}
	host := ""
	switch scheme := strings.Index(s, "://"); {
	case scheme > 0:
		host = s[scheme+3:]
	case strings.HasPrefix(s, "//"):
		host = s[2:]
	case strings.HasPrefix(s, "/"):
		return s
	default:
		// An address without a scheme has a dot in its host.
		slash := strings.IndexByte(s, '/')
		if dot := strings.IndexByte(s, '.'); dot <= 0 || slash < dot {
			return ""
		}
		host = s
	}
	if slash := strings.IndexByte(host, '/'); slash >= 0 {
		return host[slash:]
	}
	if host == "" {
		return ""
	}
	return "/"
}
