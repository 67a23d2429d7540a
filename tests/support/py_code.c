// SPDX-License-Identifier: GPL-3.0-or-later
#include "support/py_code.h"

#include <stdlib.h>
#include <string.h>

enum { CODE_BYTES_MAX = 4096 };

struct code {
	unsigned char bytes[CODE_BYTES_MAX];
	size_t count;
};

static void code_add(struct code *code, const void *bytes, size_t count)
{
	if (code->count + count > sizeof(code->bytes))
		abort();
	memcpy(code->bytes + code->count, bytes, count);
	code->count += count;
}

#define ADD(code, ...)                                         \
	code_add((code), (const unsigned char[]){__VA_ARGS__}, \
		 sizeof((const unsigned char[]){__VA_ARGS__}))

static addr_t code_place(struct py_image *image, const struct code *code)
{
	addr_t at = py_image_alloc_static(image, code->count);

	memcpy(py_image_at(image, at), code->bytes, code->count);
	return at;
}

// The object in rbx, visit in rbp, its argument in r12.
static void code_begin(struct code *code)
{
	ADD(code, 0x53);             // push %rbx
	ADD(code, 0x55);             // push %rbp
	ADD(code, 0x41, 0x54);       // push %r12
	ADD(code, 0x48, 0x89, 0xfb); // mov %rdi,%rbx
	ADD(code, 0x48, 0x89, 0xf5); // mov %rsi,%rbp
	ADD(code, 0x49, 0x89, 0xd4); // mov %rdx,%r12
}

static void code_end(struct code *code)
{
	ADD(code, 0x41, 0x5c); // pop %r12
	ADD(code, 0x5d);       // pop %rbp
	ADD(code, 0x5b);       // pop %rbx
	ADD(code, 0x31, 0xc0); // xor %eax,%eax
	ADD(code, 0xc3);       // ret
}

// Py_VISIT() of what is in rdi.
static void code_visit(struct code *code)
{
	ADD(code, 0x48, 0x85, 0xff); // test %rdi,%rdi
	ADD(code, 0x74, 0x05);       // je over the next two
	ADD(code, 0x4c, 0x89, 0xe6); // mov %r12,%rsi
	ADD(code, 0xff, 0xd5);       // call *%rbp
}

addr_t py_code_visit_members(struct py_image *image, const int32_t *offsets, size_t count)
{
	struct code code = {0};

	code_begin(&code);
	for (size_t i = 0; i < count; i++) {
		ADD(&code, 0x48, 0x8b, 0xbb); // mov offset(%rbx),%rdi
		code_add(&code, &offsets[i], sizeof(offsets[i]));
		code_visit(&code);
	}
	code_end(&code);
	return code_place(image, &code);
}

addr_t py_code_visit_objects(struct py_image *image, const addr_t *objects, size_t count)
{
	struct code code = {0};

	code_begin(&code);
	for (size_t i = 0; i < count; i++) {
		ADD(&code, 0x48, 0xbf); // movabs $object,%rdi
		code_add(&code, &objects[i], sizeof(objects[i]));
		code_visit(&code);
	}
	code_end(&code);
	return code_place(image, &code);
}

// @a items is the instruction that puts the address of the first item into r13:
// it stands in or at offset 24 of the object.
static addr_t code_visit_items(struct py_image *image, const unsigned char items[4])
{
	struct code code = {0};

	ADD(&code, 0x53);             // push %rbx
	ADD(&code, 0x55);             // push %rbp
	ADD(&code, 0x41, 0x54);       // push %r12
	ADD(&code, 0x41, 0x55);       // push %r13
	ADD(&code, 0x48, 0x89, 0xf5); // mov %rsi,%rbp
	ADD(&code, 0x49, 0x89, 0xd4); // mov %rdx,%r12
	code_add(&code, items, 4);
	ADD(&code, 0x48, 0x8b, 0x5f, 0x10);       // mov 16(%rdi),%rbx: ob_size
	ADD(&code, 0x48, 0x83, 0xeb, 0x01);       // next: sub $1,%rbx
	ADD(&code, 0x78, 0x13);                   // js done
	ADD(&code, 0x49, 0x8b, 0x7c, 0xdd, 0x00); // mov (%r13,%rbx,8),%rdi
	ADD(&code, 0x48, 0x85, 0xff);             // test %rdi,%rdi
	ADD(&code, 0x74, 0xf0);                   // je next
	ADD(&code, 0x4c, 0x89, 0xe6);             // mov %r12,%rsi
	ADD(&code, 0xff, 0xd5);                   // call *%rbp
	ADD(&code, 0x85, 0xc0);                   // test %eax,%eax
	ADD(&code, 0x74, 0xe7);                   // je next
	ADD(&code, 0x41, 0x5d);                   // done: pop %r13
	ADD(&code, 0x41, 0x5c);                   // pop %r12
	ADD(&code, 0x5d);                         // pop %rbp
	ADD(&code, 0x5b);                         // pop %rbx
	ADD(&code, 0xc3);                         // ret
	return code_place(image, &code);
}

addr_t py_code_visit_list(struct py_image *image)
{
	return code_visit_items(image, (const unsigned char[]){0x4c, 0x8b, 0x6f, 0x18}); // mov
}

addr_t py_code_visit_tuple(struct py_image *image)
{
	return code_visit_items(image, (const unsigned char[]){0x4c, 0x8d, 0x6f, 0x18}); // lea
}

addr_t py_code_return(struct py_image *image, uint32_t value)
{
	struct code code = {0};

	ADD(&code, 0xb8); // mov $value,%eax
	code_add(&code, &value, sizeof(value));
	ADD(&code, 0xc3); // ret
	return code_place(image, &code);
}

addr_t py_code_write_word(struct py_image *image, addr_t at, uint64_t value)
{
	struct code code = {0};

	ADD(&code, 0x48, 0xb8); // movabs $value,%rax
	code_add(&code, &value, sizeof(value));
	ADD(&code, 0x48, 0xb9); // movabs $at,%rcx
	code_add(&code, &at, sizeof(at));
	ADD(&code, 0x48, 0x89, 0x01); // mov %rax,(%rcx)
	ADD(&code, 0xc3);             // ret
	return code_place(image, &code);
}

addr_t py_code_visit_through(struct py_image *image, addr_t at)
{
	struct code code = {0};

	code_begin(&code);
	ADD(&code, 0x48, 0x89, 0xdf); // mov %rbx,%rdi
	code_visit(&code);
	ADD(&code, 0x48, 0xb8); // movabs $at,%rax
	code_add(&code, &at, sizeof(at));
	ADD(&code, 0x48, 0x8b, 0x00);       // mov (%rax),%rax
	ADD(&code, 0x48, 0x8b, 0x78, 0x10); // mov 16(%rax),%rdi
	code_visit(&code);
	code_end(&code);
	return code_place(image, &code);
}

static addr_t code_two_bytes(struct py_image *image, unsigned char first, unsigned char second)
{
	struct code code = {0};

	ADD(&code, first, second);
	return code_place(image, &code);
}

addr_t py_code_unknown(struct py_image *image)
{
	return code_two_bytes(image, 0x0f, 0x0b); // ud2
}

addr_t py_code_system_call(struct py_image *image)
{
	return code_two_bytes(image, 0x0f, 0x05); // syscall
}

addr_t py_code_endless(struct py_image *image)
{
	return code_two_bytes(image, 0xeb, 0xfe); // jmp to itself
}

addr_t py_code_wild_read(struct py_image *image)
{
	struct code code = {0};

	ADD(&code, 0x48, 0xb8); // movabs $address,%rax
	ADD(&code, 0x88, 0x77, 0x66, 0x55, 0x44, 0x03, 0x00, 0x00);
	ADD(&code, 0x48, 0x8b, 0x00); // mov (%rax),%rax
	ADD(&code, 0xc3);             // ret
	return code_place(image, &code);
}
