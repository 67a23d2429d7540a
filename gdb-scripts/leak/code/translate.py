# SPDX-License-Identifier: GPL-3.0-or-later
"""x86-64 as GDB's disassembler prints it (AT&T), made into Python: one function for each run of
instructions up to a branch. machine.py runs them.

Registers are r[0] to r[15], unsigned and 64 bits wide; x are the vector registers, whole. Flags are kept
as what they come of: m.f is (kind, left, right, bits), for CMP left - right, for ADD left + right. What
is not known here ends the run, which is then told as such; no instruction is guessed."""
import re

M64 = (1 << 64) - 1
CMP, ADD = 0, 1
INSTRUCTIONS_MAX = 64


class Unknown(Exception):
    """An instruction that is not followed."""


def _registers():
    table = {}
    names = ["ax", "cx", "dx", "bx", "sp", "bp", "si", "di"]
    for number, name in enumerate(names):
        table["r" + name] = (number, 64, 0)
        table["e" + name] = (number, 32, 0)
        table[name] = (number, 16, 0)
        table[name[0] + "l" if name.endswith("x") else name + "l"] = (number, 8, 0)
        if name.endswith("x"):
            table[name[0] + "h"] = (number, 8, 8)
    for number in range(8, 16):
        for suffix, bits in (("", 64), ("d", 32), ("w", 16), ("b", 8)):
            table["r%d%s" % (number, suffix)] = (number, bits, 0)
    return table


REGISTERS = _registers()
SUFFIXES = {"b": 8, "w": 16, "l": 32, "q": 64}
MEMORY = re.compile(r"^(%fs:)?(-?0x[0-9a-f]+|-?\d+)?(?:\((%\w+)?(?:,(%\w+)(?:,(\d))?)?\))?$")
PREFIXES = ("repz ", "bnd ", "notrack ", "data16 ", "cs ", "rex.W ")
# Of a comparison of a and b, all unsigned; sa and sb are the same numbers signed.
CONDITIONS = {
    "e": ("a == b", "(a + b) & mask == 0"), "ne": ("a != b", "(a + b) & mask != 0"),
    "b": ("a < b", "a + b > mask"), "ae": ("a >= b", "a + b <= mask"),
    "be": ("a <= b", "a + b > mask or (a + b) & mask == 0"),
    "a": ("a > b", "a + b <= mask and (a + b) & mask != 0"),
    "l": ("sa < sb", "sa + sb < 0"), "ge": ("sa >= sb", "sa + sb >= 0"),
    "le": ("sa <= sb", "sa + sb <= 0"), "g": ("sa > sb", "sa + sb > 0"),
    "s": ("(a - b) & sign != 0", "(a + b) & sign != 0"),
    "ns": ("(a - b) & sign == 0", "(a + b) & sign == 0"),
}
ALIASES = {"z": "e", "nz": "ne", "c": "b", "nae": "b", "nb": "ae", "nc": "ae", "na": "be",
           "nbe": "a", "nge": "l", "nl": "ge", "ng": "le", "nle": "g"}


def holds(condition, flags):
    """Whether @condition ("ge") holds for the flags as they are kept."""
    kind, a, b, bits = flags
    sign = 1 << (bits - 1)
    names = {"a": a, "b": b, "sa": (a ^ sign) - sign, "sb": (b ^ sign) - sign, "sign": sign,
             "mask": (1 << bits) - 1}
    return eval(_compiled(condition, kind), {}, names)


_condition_code = {}


def _compiled(condition, kind):
    key = condition, kind
    if key not in _condition_code:
        _condition_code[key] = compile(CONDITIONS[condition][kind], "<condition>", "eval")
    return _condition_code[key]


class Operand:
    """A register, a number, or a place in memory."""

    def __init__(self, text, comment):
        self.register = self.number = self.address = self.vector = None
        self.bits = 0
        if text.startswith("$"):
            self.number = int(text[1:], 0)
        elif text.startswith("%xmm"):
            self.vector = int(text[4:])
            self.bits = 128
        elif text.startswith("%") and ":" not in text:
            if text[1:] not in REGISTERS:
                raise Unknown(text)
            self.register, self.bits, self.shift = REGISTERS[text[1:]]
        else:
            self.address = _address(text, comment)

    def load(self, bits):
        if self.number is not None:
            return "0x%x" % (self.number & ((1 << bits) - 1))
        if self.register is not None:
            if bits == 64:
                return "r[%d]" % self.register
            shifted = "r[%d] >> 8" % self.register if self.shift else "r[%d]" % self.register
            return "(%s & 0x%x)" % (shifted, (1 << bits) - 1)
        if self.address is not None:
            return "load%d(%s)" % (bits, self.address)
        raise Unknown("a vector register as a number")

    def store(self, bits, value):
        """A statement; @value has no bits above."""
        if self.register is not None:
            number = self.register
            if bits == 64 or bits == 32:
                return "r[%d] = %s" % (number, value)
            mask = ((1 << bits) - 1) << self.shift
            return "r[%d] = r[%d] & 0x%x | (%s) << %d" % (number, number, M64 ^ mask, value,
                                                         self.shift)
        if self.address is not None:
            return "store%d(%s, %s)" % (bits, self.address, value)
        raise Unknown("a store to a number")


def _address(text, comment):
    found = MEMORY.match(text)
    if not found:
        raise Unknown(text)
    segment, offset, base, index, scale = found.groups()
    offset = int(offset, 0) if offset else 0
    if base == "%rip":
        # The disassembler has worked it out: "# 0x7f0530f82420 <subtype_traverse>".
        where = re.match(r"\s*(0x[0-9a-f]+)", comment)
        if not where:
            raise Unknown(text)
        return where.group(1)
    terms = []
    for part, factor in ((base, "1"), (index, scale or "1")):
        if part and part != "%riz":
            if part[1:] not in REGISTERS or REGISTERS[part[1:]][1] != 64:
                raise Unknown(text)
            terms.append("r[%d]" % REGISTERS[part[1:]][0] + (" * " + factor if factor != "1" else ""))
    terms.append("%d" % offset)
    if segment:
        terms.append("m.thread_pointer")
    whole = " + ".join(terms)
    # Only an index may be a negative number and wrap.
    return "(%s) & 0x%x" % (whole, M64) if index or not base else whole


def split(asm):
    """(mnemonic, operands, comment, symbol) of a disassembled line."""
    code, _, comment = asm.partition("#")
    code = code.strip()
    while code.startswith(PREFIXES):
        code = code.split(" ", 1)[1].strip()
    symbol = ""
    if "<" in code:
        code, _, symbol = code.partition("<")
        symbol = symbol.rstrip("> ")
    mnemonic, _, rest = code.strip().partition(" ")
    operands, depth, word = [], 0, ""
    for c in rest.strip():
        if c == "," and depth == 0:
            operands.append(word.strip())
            word = ""
            continue
        depth += (c == "(") - (c == ")")
        word += c
    if word.strip():
        operands.append(word.strip())
    return mnemonic, operands, comment, symbol


class Block:
    """Translates from one address up to a branch; `source` is then the body of a function that
    returns the address to go on at."""

    def __init__(self, resolve):
        # Where a call through a table of linkage leads, by the function's name.
        self._resolve = resolve
        self.lines = []
        self._flags = None
        self.ended = False

    def emit(self, line):
        self.lines.append(line)

    def finish(self, address):
        """Falls through to @address."""
        self.emit("return 0x%x" % address)
        self.ended = True

    def source(self):
        return ("def block(m, r, x, load8, load16, load32, load64, store8, store16, store32, "
                "store64):\n    " + "\n    ".join(self.lines) + "\n")

    def add(self, asm, following):
        """One instruction; @following is the address behind it."""
        mnemonic, words, comment, symbol = split(asm)
        if mnemonic.startswith(("nop", "endbr", "pause", "prefetch")) or (
                mnemonic == "xchg" and words[0] == words[1]):
            return
        if self._branch(mnemonic, words, comment, symbol, following):
            return
        operands = [Operand(word, comment) for word in words]
        for method in (self._plain, self._conditional, self._vector):
            if method(mnemonic, operands):
                return
        raise Unknown(asm.strip())

    # Branches.

    def _branch(self, mnemonic, words, comment, symbol, following):
        name = mnemonic[:-1] if mnemonic in ("callq", "jmpq", "retq", "leaveq") else mnemonic
        if name == "ret":
            self.emit("t = load64(r[4])")
            self.emit("r[4] += 8")
            self.emit("return t")
        elif name in ("call", "jmp"):
            self._call_or_jump(name, words[0], comment, symbol, following)
        elif name.startswith("j") and _condition(name[1:]):
            self.emit("return %s if %s else 0x%x" % (words[0], self._test(name[1:]), following))
        elif name in ("ud2", "hlt", "int3", "syscall"):
            raise Unknown(mnemonic)
        else:
            return False
        self.ended = True
        return True

    def _call_or_jump(self, name, word, comment, symbol, following):
        if word.startswith("*"):
            self.emit("t = " + Operand(word[1:], comment).load(64))
        else:
            target = int(word, 0)
            if symbol.endswith("@plt"):
                target = self._resolve(symbol[:-len("@plt")].partition("+")[0], target)
            self.emit("t = 0x%x" % target)
        if name == "call":
            if word.startswith("*"):
                # Most such calls are visits; these need no return address on a stack.
                self.emit("if t == m.visit_at:")
                self.emit("    m.visited.append(r[7])")
                self.emit("    r[0] = 0")
                self.emit("    return 0x%x" % following)
            self.emit("r[4] -= 8")
            self.emit("store64(r[4], 0x%x)" % following)
        self.emit("return t")

    # Flags.

    def _set_flags(self, kind, left, right, bits):
        """The flags of left - right or left + right, both expressions without side effects."""
        self.emit("a = " + left)
        self.emit("b = " + right)
        self.emit("m.f = (%d, a, b, %d)" % (kind, bits))
        self._flags = kind, bits

    def _set_result(self, value, bits):
        """As logic does: no carry, no overflow."""
        self.emit("a = " + value)
        self.emit("b = 0")
        self.emit("m.f = (%d, a, 0, %d)" % (CMP, bits))
        self._flags = CMP, bits

    def _test(self, condition):
        condition = _condition(condition)
        if self._flags is None:
            return "m.holds('%s', m.f)" % condition
        kind, bits = self._flags
        sign = 1 << (bits - 1)
        text = CONDITIONS[condition][kind]
        for name, value in (("sa", "((a ^ 0x%x) - 0x%x)" % (sign, sign)),
                            ("sb", "((b ^ 0x%x) - 0x%x)" % (sign, sign)),
                            ("sign", "0x%x" % sign), ("mask", "0x%x" % ((1 << bits) - 1))):
            text = re.sub(r"\b%s\b" % name, value, text)
        return "(%s)" % text

    # Everything else.

    def _plain(self, mnemonic, operands):
        for name in (mnemonic, mnemonic[:-1]):
            method = getattr(self, "_op_" + name, None)
            if method is None:
                continue
            suffix = SUFFIXES.get(mnemonic[len(name):])
            if mnemonic[len(name):] and suffix is None:
                continue
            bits = suffix or next((operand.bits for operand in reversed(operands)
                                   if operand.bits), 64)
            if bits > 64:
                continue
            method(operands, bits)
            return True
        return self._extension(mnemonic, operands)

    def _extension(self, mnemonic, operands):
        """movzbl, movsbq, movslq and their like; cltq and its like."""
        found = re.match(r"^mov([zs])([bwl])([wlq])?$", mnemonic)
        if found and operands[1].register is not None:
            source, target = SUFFIXES[found.group(2)], operands[1].bits
            value = operands[0].load(source)
            if found.group(1) == "s":
                value = _signed(value, source, target)
            self.emit(operands[1].store(target, value))
        elif mnemonic == "cltq":
            self.emit("r[0] = " + _signed("(r[0] & 0xffffffff)", 32, 64))
        elif mnemonic == "cwtl":
            self.emit("r[0] = " + _signed("(r[0] & 0xffff)", 16, 32))
        elif mnemonic == "cqto":
            self.emit("r[2] = 0x%x if r[0] >> 63 else 0" % M64)
        elif mnemonic == "cltd":
            self.emit("r[2] = 0xffffffff if r[0] >> 31 & 1 else 0")
        else:
            return False
        return True

    def _conditional(self, mnemonic, operands):
        if mnemonic.startswith("set") and _condition(mnemonic[3:]):
            self.emit(operands[0].store(8, "int(%s)" % self._test(mnemonic[3:])))
        elif mnemonic.startswith("cmov"):
            name = mnemonic[4:]
            if not _condition(name):
                name = name[:-1]
            if not _condition(name):
                return False
            bits = operands[1].bits
            self.emit(operands[1].store(bits, "%s if %s else %s" % (
                operands[0].load(bits), self._test(name), operands[1].load(bits))))
        else:
            return False
        return True

    def _op_mov(self, operands, bits):
        self.emit(operands[1].store(bits, operands[0].load(bits)))

    _op_movabs = _op_mov

    def _op_lea(self, operands, bits):
        self.emit(operands[1].store(bits, "(%s) & 0x%x" % (operands[0].address, (1 << bits) - 1)))

    def _op_push(self, operands, _bits):
        self.emit("t = " + operands[0].load(64))
        self.emit("r[4] -= 8")
        self.emit("store64(r[4], t)")

    def _op_pop(self, operands, _bits):
        self.emit("t = load64(r[4])")
        self.emit("r[4] += 8")
        self.emit(operands[0].store(64, "t"))

    def _op_leave(self, _operands, _bits):
        self.emit("r[4] = r[5] + 8")
        self.emit("r[5] = load64(r[5])")

    def _op_cmp(self, operands, bits):
        self._set_flags(CMP, operands[1].load(bits), operands[0].load(bits), bits)

    def _op_test(self, operands, bits):
        left, right = operands[1].load(bits), operands[0].load(bits)
        self._set_result(left if left == right else "%s & %s" % (left, right), bits)

    def _arithmetic(self, kind, operands, bits):
        target = operands[-1]
        self._set_flags(kind, target.load(bits), operands[0].load(bits), bits)
        self.emit(target.store(bits, "(a %s b) & 0x%x" % ("-" if kind == CMP else "+",
                                                         (1 << bits) - 1)))

    def _op_add(self, operands, bits):
        self._arithmetic(ADD, operands, bits)

    def _op_sub(self, operands, bits):
        self._arithmetic(CMP, operands, bits)

    def _step(self, kind, operands, bits):
        # The carry flag stays as it was, which compilers do not rely on.
        self._set_flags(kind, operands[0].load(bits), "1", bits)
        self.emit(operands[0].store(bits, "(a %s 1) & 0x%x" % ("-" if kind == CMP else "+",
                                                              (1 << bits) - 1)))

    def _op_inc(self, operands, bits):
        self._step(ADD, operands, bits)

    def _op_dec(self, operands, bits):
        self._step(CMP, operands, bits)

    def _logic(self, sign, operands, bits):
        self._set_result("%s %s %s" % (operands[1].load(bits), sign, operands[0].load(bits)), bits)
        self.emit(operands[1].store(bits, "a"))

    def _op_and(self, operands, bits):
        self._logic("&", operands, bits)

    def _op_or(self, operands, bits):
        self._logic("|", operands, bits)

    def _op_xor(self, operands, bits):
        self._logic("^", operands, bits)

    def _op_not(self, operands, bits):
        self.emit(operands[0].store(bits, "%s ^ 0x%x" % (operands[0].load(bits), (1 << bits) - 1)))

    def _op_neg(self, operands, bits):
        self._set_flags(CMP, "0", operands[0].load(bits), bits)
        self.emit(operands[0].store(bits, "-b & 0x%x" % ((1 << bits) - 1)))

    def _shift(self, form, operands, bits):
        by = operands[0].load(8) if len(operands) == 2 else "1"
        target = operands[-1]
        value = target.load(bits)
        if form == "sar":
            sign = 1 << (bits - 1)
            value = "((%s ^ 0x%x) - 0x%x)" % (value, sign, sign)
        self._set_result("(%s %s (%s & %d)) & 0x%x" % (value, "<<" if form == "shl" else ">>", by,
                                                      63 if bits == 64 else 31, (1 << bits) - 1), bits)
        self.emit(target.store(bits, "a"))

    def _op_shl(self, operands, bits):
        self._shift("shl", operands, bits)

    _op_sal = _op_shl

    def _op_shr(self, operands, bits):
        self._shift("shr", operands, bits)

    def _op_sar(self, operands, bits):
        self._shift("sar", operands, bits)

    def _op_imul(self, operands, bits):
        if len(operands) < 2:
            raise Unknown("imul of two registers at once")
        self.emit(operands[-1].store(bits, "(%s * %s) & 0x%x" % (
            operands[-2].load(bits), operands[0 if len(operands) == 3 else 1].load(bits),
            (1 << bits) - 1)))
        self._flags = None

    def _divide(self, operands, bits, signed):
        """rdx:rax by the operand, quotient to rax, remainder to rdx; signed ones round towards 0."""
        if bits not in (32, 64):
            raise Unknown("division of %d bits" % bits)
        mask = (1 << bits) - 1
        self.emit("t = (r[2] & 0x%x) << %d | r[0] & 0x%x" % (mask, bits, mask))
        self.emit("s = " + operands[0].load(bits))
        if signed:
            self.emit("t = (t ^ 0x%x) - 0x%x" % (1 << 2 * bits - 1, 1 << 2 * bits - 1))
            self.emit("s = (s ^ 0x%x) - 0x%x" % (1 << bits - 1, 1 << bits - 1))
        self.emit("q = m.divide(t, s)")
        self.emit("r[0] = q & 0x%x" % mask)
        self.emit("r[2] = (t - q * s) & 0x%x" % mask)
        self._flags = None

    def _op_div(self, operands, bits):
        self._divide(operands, bits, False)

    def _op_idiv(self, operands, bits):
        self._divide(operands, bits, True)

    def _op_bt(self, operands, bits):
        # Only the carry flag, as a < b: the bit is set.
        self._set_flags(CMP, "1 - (%s >> (%s %% %d) & 1)" % (
            operands[1].load(bits), operands[0].load(bits), bits), "1", bits)

    def _op_xchg(self, operands, bits):
        self.emit("t = " + operands[0].load(bits))
        self.emit("s = " + operands[1].load(bits))
        self.emit(operands[0].store(bits, "s"))
        self.emit(operands[1].store(bits, "t"))

    def _count_zeros(self, operands, bits, lowest):
        self.emit("t = " + operands[0].load(bits))
        value = "(t & -t).bit_length() - 1" if lowest else "t.bit_length() - 1"
        self.emit(operands[1].store(bits, "%s if t else %d" % (value, bits)))
        self._set_result("t", bits)

    def _op_bsf(self, operands, bits):
        self._count_zeros(operands, bits, True)

    _op_tzcnt = _op_bsf

    def _op_bsr(self, operands, bits):
        self._count_zeros(operands, bits, False)

    def _op_popcnt(self, operands, bits):
        self.emit(operands[1].store(bits, "bin(%s).count('1')" % operands[0].load(bits)))
        self._flags = None

    # Vectors, as far as they move words about.

    def _vector(self, mnemonic, operands):
        if mnemonic in ("movups", "movaps", "movdqu", "movdqa", "movapd", "movupd"):
            value = self._load128(operands[0])
            self._store128(operands[1], value)
        elif mnemonic in ("pxor", "xorps", "xorpd"):
            self.emit("x[%d] ^= %s" % (operands[1].vector, self._load128(operands[0])))
        elif mnemonic in ("movq", "movd"):
            bits = 64 if mnemonic == "movq" else 32
            if operands[0].vector is not None:
                value = "x[%d] & 0x%x" % (operands[0].vector, (1 << bits) - 1)
            else:
                value = operands[0].load(bits)
            if operands[1].vector is not None:
                self.emit("x[%d] = %s" % (operands[1].vector, value))
            else:
                self.emit(operands[1].store(bits, value))
        elif mnemonic == "punpcklqdq":
            self.emit("x[%d] = x[%d] & 0x%x | (%s & 0x%x) << 64" % (
                operands[1].vector, operands[1].vector, M64, self._load128(operands[0]), M64))
        elif mnemonic in ("movlps", "movlpd") and operands[1].vector is not None:
            self.emit("x[%d] = x[%d] >> 64 << 64 | %s" % (
                operands[1].vector, operands[1].vector, operands[0].load(64)))
        elif mnemonic in ("movhps", "movhpd") and operands[1].vector is not None:
            self.emit("x[%d] = x[%d] & 0x%x | %s << 64" % (
                operands[1].vector, operands[1].vector, M64, operands[0].load(64)))
        else:
            return False
        return True

    def _load128(self, operand):
        if operand.vector is not None:
            return "x[%d]" % operand.vector
        return "(load64(%s) | load64(%s + 8) << 64)" % (operand.address, operand.address)

    def _store128(self, operand, value):
        if operand.vector is not None:
            self.emit("x[%d] = %s" % (operand.vector, value))
            return
        self.emit("t = " + value)
        self.emit("store64(%s, t & 0x%x)" % (operand.address, M64))
        self.emit("store64(%s + 8, t >> 64)" % operand.address)


def _condition(name):
    name = ALIASES.get(name, name)
    return name if name in CONDITIONS else None


def _signed(value, source, target):
    sign = 1 << (source - 1)
    return "((%s ^ 0x%x) - 0x%x) & 0x%x" % (value, sign, sign, (1 << target) - 1)
