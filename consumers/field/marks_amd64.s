#include "textflag.h"

// Of a digit, space or hyphen, the low half of the byte looks up the classes that it may be of, and the high half the class that it
// is of: 1 is 0x30 to 0x39, 2 is 0x20 and 0x2d.
DATA lowHalf<>+0(SB)/8, $0x0101010101010103
DATA lowHalf<>+8(SB)/8, $0x0000020000000101
GLOBL lowHalf<>(SB), RODATA|NOPTR, $16
DATA highHalf<>+0(SB)/8, $0x0000000001020000
DATA highHalf<>+8(SB)/8, $0x0000000000000000
GLOBL highHalf<>(SB), RODATA|NOPTR, $16
DATA quotes<>+0(SB)/8, $0x2222222222222222
GLOBL quotes<>(SB), RODATA|NOPTR, $8
DATA backslashes<>+0(SB)/8, $0x5c5c5c5c5c5c5c5c
GLOBL backslashes<>(SB), RODATA|NOPTR, $8
DATA controls<>+0(SB)/8, $0x1f1f1f1f1f1f1f1f
GLOBL controls<>(SB), RODATA|NOPTR, $8
DATA halves<>+0(SB)/8, $0x0f0f0f0f0f0f0f0f
GLOBL halves<>(SB), RODATA|NOPTR, $8

// func markBlocksAVX2(text *byte, blocks int, stops, digits *uint64) (high uint32)
TEXT ·markBlocksAVX2(SB), NOSPLIT, $0-36
	MOVQ text+0(FP), SI
	MOVQ blocks+8(FP), CX
	MOVQ stops+16(FP), DI
	MOVQ digits+24(FP), DX
	VPBROADCASTQ quotes<>(SB), Y14
	VPBROADCASTQ backslashes<>(SB), Y13
	VPBROADCASTQ controls<>(SB), Y12
	VPBROADCASTQ halves<>(SB), Y11
	VBROADCASTI128 lowHalf<>(SB), Y10
	VBROADCASTI128 highHalf<>(SB), Y9
	VPXOR Y8, Y8, Y8
	VPXOR Y15, Y15, Y15

block:
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VPOR Y0, Y15, Y15
	VPOR Y1, Y15, Y15

	// Stops: a quote, a backslash, or at most 0x1f.
	VPCMPEQB Y0, Y14, Y2
	VPCMPEQB Y0, Y13, Y3
	VPMINUB Y0, Y12, Y4
	VPCMPEQB Y0, Y4, Y4
	VPOR Y2, Y3, Y2
	VPOR Y2, Y4, Y2
	VPMOVMSKB Y2, AX
	VPCMPEQB Y1, Y14, Y2
	VPCMPEQB Y1, Y13, Y3
	VPMINUB Y1, Y12, Y4
	VPCMPEQB Y1, Y4, Y4
	VPOR Y2, Y3, Y2
	VPOR Y2, Y4, Y2
	VPMOVMSKB Y2, BX
	SHLQ $32, BX
	ORQ BX, AX
	MOVQ AX, (DI)

	// Digits, spaces and hyphens; a byte beyond ASCII looks up nothing.
	VPSHUFB Y0, Y10, Y2
	VPSRLW $4, Y0, Y3
	VPAND Y3, Y11, Y3
	VPSHUFB Y3, Y9, Y3
	VPAND Y2, Y3, Y2
	VPCMPEQB Y2, Y8, Y2
	VPMOVMSKB Y2, AX
	VPSHUFB Y1, Y10, Y2
	VPSRLW $4, Y1, Y3
	VPAND Y3, Y11, Y3
	VPSHUFB Y3, Y9, Y3
	VPAND Y2, Y3, Y2
	VPCMPEQB Y2, Y8, Y2
	VPMOVMSKB Y2, BX
	SHLQ $32, BX
	ORQ BX, AX
	NOTQ AX
	MOVQ AX, (DX)

	ADDQ $64, SI
	ADDQ $8, DI
	ADDQ $8, DX
	DECQ CX
	JNZ block

	VPMOVMSKB Y15, AX
	MOVL AX, high+32(FP)
	VZEROUPPER
	RET
