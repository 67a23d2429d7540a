// SPDX-License-Identifier: GPL-3.0-or-later
#include "debug/elf_symbols.h"

#include <gelf.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/fnv.h"

enum {
	// libpython has 40,000, Chrome 1,000,000.
	SYMBOLS_LIMIT = 8 * 1000 * 1000,
	// A symbol that covers an address need not be the last one that begins before it.
	COVERING_STEPS_LIMIT = 16,
};

struct symbol {
	const char *name;
	addr_t address;
	uint64_t bytes;
	/** Of the name without the compiler's suffix. */
	uint32_t hash;
	/** Number + 1 of the next symbol in the same bucket; 0 ends the chain. */
	uint32_t next;
};

/** A name that was asked for, and the addresses of its symbols. */
struct located {
	char *name;
	addr_t *list;
	size_t count;
	size_t capacity;
};

struct elf_symbols {
	struct symbol *list;
	size_t count;
	size_t capacity;
	/** A power of two of chain heads, each a number + 1 or 0. */
	uint32_t *buckets;
	size_t bucket_count;
	bool hashed;
	uint32_t *by_address;
	bool sorted;
	struct located *located;
	size_t located_count;
	size_t located_capacity;
};

// The part before ".lto_priv.0", ".part.1", ".constprop.0" or the version in "name@@VERSION".
static size_t base_length(const char *name)
{
	return name[0] ? 1 + strcspn(name + 1, ".@") : 0;
}

// "f.lto_priv.0.cold" is the seldom used part of a function, and not where it begins.
static bool is_cold_part(const char *name)
{
	size_t length = strlen(name);

	return length > 5 && strcmp(name + length - 5, ".cold") == 0;
}

static bool symbol_is_wanted(const GElf_Sym *symbol)
{
	unsigned type = GELF_ST_TYPE(symbol->st_info);

	// The value of an STT_TLS symbol is an offset and no address.
	return symbol->st_shndx != SHN_UNDEF && symbol->st_shndx != SHN_ABS &&
	       symbol->st_shndx != SHN_COMMON &&
	       (type == STT_NOTYPE || type == STT_OBJECT || type == STT_FUNC ||
		type == STT_GNU_IFUNC);
}

static struct error *table_read(struct elf_symbols *symbols, Elf *elf, const char *path,
				Elf_Scn *section)
{
	GElf_Shdr header;
	GElf_Sym symbol;

	if (!section || !gelf_getshdr(section, &header) || header.sh_type == SHT_NOBITS)
		return NULL;
	Elf_Data *data = elf_getdata(section, NULL);
	size_t entry_bytes = gelf_fsize(elf, ELF_T_SYM, 1, EV_CURRENT);
	if (!data || entry_bytes == 0 || header.sh_size / entry_bytes > SYMBOLS_LIMIT)
		return error_create(ERROR_FAILED,
				    "%s is truncated or damaged (its symbols cannot be read); "
				    "reinstall the package that has it",
				    path);
	size_t count = data->d_size / entry_bytes;
	struct error *error = array_reserve(&symbols->list, &symbols->capacity,
					    symbols->count + count, sizeof(*symbols->list));
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		if (!gelf_getsym(data, (int)i, &symbol) || !symbol_is_wanted(&symbol))
			continue;
		const char *name = elf_strptr(elf, header.sh_link, symbol.st_name);
		if (!name || !name[0])
			continue;
		symbols->list[symbols->count++] = (struct symbol){
			.name = name,
			.address = symbol.st_value,
			.bytes = symbol.st_size,
		};
	}
	return NULL;
}

struct error *elf_symbols_create(Elf *elf, const char *path, Elf_Scn *symtab, Elf_Scn *dynsym,
				 struct elf_symbols **ret)
{
	struct elf_symbols *symbols = calloc(1, sizeof(*symbols));

	if (!symbols)
		return error_no_memory();
	struct error *error = table_read(symbols, elf, path, symtab);
	// A .symtab has all of .dynsym and more, where there is one.
	if (!error && symbols->count == 0)
		error = table_read(symbols, elf, path, dynsym);
	if (!error) {
		symbols->bucket_count = 16;
		while (symbols->bucket_count < symbols->count)
			symbols->bucket_count *= 2;
		symbols->buckets = calloc(symbols->bucket_count, sizeof(*symbols->buckets));
		symbols->by_address = calloc(symbols->count + 1, sizeof(*symbols->by_address));
		if (!symbols->buckets || !symbols->by_address)
			error = error_no_memory();
	}
	if (error) {
		elf_symbols_destroy(symbols);
		return error;
	}
	*ret = symbols;
	return NULL;
}

void elf_symbols_destroy(struct elf_symbols *symbols)
{
	if (!symbols)
		return;
	for (size_t i = 0; i < symbols->located_count; i++) {
		free(symbols->located[i].name);
		free(symbols->located[i].list);
	}
	free(symbols->located);
	free(symbols->by_address);
	free(symbols->buckets);
	free(symbols->list);
	free(symbols);
}

static void symbols_hash(struct elf_symbols *symbols)
{
	// Backwards, so that each chain has the order of the file.
	for (size_t i = symbols->count; i-- > 0;) {
		struct symbol *symbol = &symbols->list[i];
		symbol->hash = fnv32(FNV32_START, symbol->name, base_length(symbol->name));
		uint32_t *bucket = &symbols->buckets[symbol->hash & (symbols->bucket_count - 1)];
		symbol->next = *bucket;
		*bucket = (uint32_t)i + 1;
	}
	symbols->hashed = true;
}

bool elf_symbols_find(struct elf_symbols *symbols, const char *name, addr_t *ret_address,
		      uint64_t *ret_bytes)
{
	size_t length = base_length(name);
	uint32_t hash = fnv32(FNV32_START, name, length);
	const struct symbol *found = NULL;

	if (!symbols->hashed)
		symbols_hash(symbols);
	uint32_t i = symbols->buckets[hash & (symbols->bucket_count - 1)];
	for (; i; i = symbols->list[i - 1].next) {
		const struct symbol *symbol = &symbols->list[i - 1];
		if (symbol->hash != hash)
			continue;
		if (strcmp(symbol->name, name) == 0) {
			found = symbol;
			break;
		}
		if (!found && !name[length] && strncmp(symbol->name, name, length) == 0 &&
		    base_length(symbol->name) == length && !is_cold_part(symbol->name))
			found = symbol;
	}
	if (!found)
		return false;
	*ret_address = found->address;
	*ret_bytes = found->bytes;
	return true;
}

// Where all symbols of a name are, found by looking at each once: a table of all names takes longer, and few
// are asked for.
static struct error *symbols_locate(const struct elf_symbols *symbols, const char *name,
				    struct located *ret)
{
	size_t length = base_length(name);
	struct error *error = NULL;

	ret->name = strdup(name);
	if (!ret->name)
		return error_no_memory();
	for (size_t i = 0; !error && i < symbols->count; i++) {
		const struct symbol *symbol = &symbols->list[i];
		if (strncmp(symbol->name, name, length) != 0 ||
		    base_length(symbol->name) != length || is_cold_part(symbol->name))
			continue;
		error = array_reserve(&ret->list, &ret->capacity, ret->count + 1,
				      sizeof(*ret->list));
		if (!error)
			ret->list[ret->count++] = symbol->address;
	}
	return error;
}

struct error *elf_symbols_has(struct elf_symbols *symbols, const char *name, addr_t address,
			      bool *ret)
{
	struct located *located = symbols->located;
	struct error *error = NULL;

	*ret = false;
	while (located < symbols->located + symbols->located_count &&
	       strcmp(located->name, name) != 0)
		located++;
	if (located == symbols->located + symbols->located_count) {
		error = array_reserve(&symbols->located, &symbols->located_capacity,
				      symbols->located_count + 1, sizeof(*symbols->located));
		if (error)
			return error;
		located = &symbols->located[symbols->located_count++];
		error = symbols_locate(symbols, name, located);
	}
	for (size_t i = 0; !error && !*ret && i < located->count; i++)
		*ret = located->list[i] == address;
	return error;
}

static int symbol_compare(const void *left, const void *right, void *context)
{
	const struct elf_symbols *symbols = context;
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	const struct symbol *one = &symbols->list[a], *other = &symbols->list[b];

	if (one->address != other->address)
		return one->address < other->address ? -1 : 1;
	// Of several at one address the largest comes last, and among equals the first of the file:
	// the walk goes backwards.
	if (one->bytes != other->bytes)
		return one->bytes < other->bytes ? -1 : 1;
	return a < b ? 1 : a > b ? -1 : 0;
}

static void symbols_sort(struct elf_symbols *symbols)
{
	for (size_t i = 0; i < symbols->count; i++)
		symbols->by_address[i] = (uint32_t)i;
	qsort_r(symbols->by_address, symbols->count, sizeof(*symbols->by_address), symbol_compare,
		symbols);
	symbols->sorted = true;
}

const char *elf_symbols_find_at(struct elf_symbols *symbols, addr_t address, uint64_t *ret_distance)
{
	size_t low = 0, high = symbols->count;

	if (!symbols->sorted)
		symbols_sort(symbols);
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (symbols->list[symbols->by_address[middle]].address <= address)
			low = middle + 1;
		else
			high = middle;
	}
	for (size_t steps = 0; low > 0 && steps < COVERING_STEPS_LIMIT; steps++) {
		const struct symbol *symbol = &symbols->list[symbols->by_address[--low]];
		uint64_t distance = address - symbol->address;
		if (distance < symbol->bytes || distance == 0) {
			*ret_distance = distance;
			return symbol->name;
		}
	}
	return NULL;
}
