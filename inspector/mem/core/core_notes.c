// SPDX-License-Identifier: GPL-3.0-or-later
#include "mem/core/core_notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/procfs.h>

#include "base/array.h"
#include "mem/machine/machine.h"

enum {
	/** PID_MAX_LIMIT of the kernel. */
	THREADS_MAX = 1 << 22,
	/** A core has one. */
	NOTE_SEGMENTS_MAX = 16,
	/** Of NT_FILE: count and page size; start, end and offset of each. */
	FILE_HEAD_BYTES = 16,
	FILE_ENTRY_BYTES = 24,
};

static const addr_t ADDRESS_MAX = 1ULL << 62;

_Static_assert((int)MACHINE_REGISTERS_MAX == (int)PAUSE_REGISTERS_MAX,
	       "one is copied to the other");

void core_notes_deinit(struct core_notes *notes)
{
	free(notes->threads);
	free(notes->mapped);
	*notes = (struct core_notes){0};
}

static struct error *notes_add_thread(struct core_notes *notes, const struct core_note *note)
{
	struct elf_prstatus status;
	struct machine_registers registers;

	if (note->count < sizeof(status) || notes->thread_count == THREADS_MAX) {
		notes->damaged_count++;
		return NULL;
	}
	struct error *error = array_reserve(&notes->threads, &notes->thread_capacity,
					    notes->thread_count + 1, sizeof(*notes->threads));
	if (error)
		return error;
	memcpy(&status, note->bytes, sizeof(status));
	struct pause_thread *thread = &notes->threads[notes->thread_count++];
	*thread = (struct pause_thread){.tid = status.pr_pid};
	if (!machine_registers_take(&status.pr_reg, sizeof(status.pr_reg), &registers))
		return NULL;
	thread->stack_pointer = machine_stack_pointer(&registers);
	thread->program_counter = machine_program_counter(&registers);
	thread->pthread_at = machine_pthread(&registers);
	thread->register_count = machine_general(&registers, thread->registers);
	return NULL;
}

static void notes_take_process(struct core_notes *notes, const struct core_note *note)
{
	struct elf_prpsinfo info;

	if (note->count < sizeof(info)) {
		notes->damaged_count++;
		return;
	}
	memcpy(&info, note->bytes, sizeof(info));
	if (info.pr_pid > 0)
		notes->pid = info.pr_pid;
	snprintf(notes->arguments, sizeof(notes->arguments), "%.*s", (int)sizeof(info.pr_psargs),
		 info.pr_psargs);
	// GDB and the kernel put a blank behind the last one.
	for (size_t i = strlen(notes->arguments); i > 0 && notes->arguments[i - 1] == ' '; i--)
		notes->arguments[i - 1] = '\0';
}

static void notes_take_auxiliary(struct core_notes *notes, const struct core_note *note)
{
	for (size_t i = 0; i + sizeof(Elf64_auxv_t) <= note->count; i += sizeof(Elf64_auxv_t)) {
		Elf64_auxv_t entry;

		memcpy(&entry, note->bytes + i, sizeof(entry));
		if (entry.a_type == AT_PHDR)
			notes->program_headers_at = entry.a_un.a_val;
		else if (entry.a_type == AT_RANDOM)
			notes->stack_at = entry.a_un.a_val;
		else if (entry.a_type == AT_SYSINFO_EHDR)
			notes->vdso_at = entry.a_un.a_val;
	}
}

static uint64_t note_number(const struct core_note *note, size_t at)
{
	uint64_t number;

	memcpy(&number, note->bytes + at, sizeof(number));
	return number;
}

// fs/binfmt_elf.c, fill_files_note(): numbers of all entries, then their names, in the same order.
static struct error *notes_take_files(struct core_notes *notes, const struct core_note *note)
{
	const char *end = (const char *)note->bytes + note->count;
	uint64_t count, unit;

	if (note->count < FILE_HEAD_BYTES) {
		notes->damaged_count++;
		return NULL;
	}
	notes->lists_files = true;
	count = note_number(note, 0);
	unit = note_number(note, 8);
	if (count > (note->count - FILE_HEAD_BYTES) / FILE_ENTRY_BYTES || unit == 0 ||
	    unit > UINT32_MAX) {
		notes->damaged_count++;
		return NULL;
	}
	struct error *error =
		array_reserve(&notes->mapped, &notes->mapped_capacity,
			      notes->mapped_count + (size_t)count, sizeof(*notes->mapped));
	if (error)
		return error;
	const char *path = (const char *)note->bytes + FILE_HEAD_BYTES + count * FILE_ENTRY_BYTES;
	for (size_t i = 0; i < count; i++) {
		size_t at = FILE_HEAD_BYTES + i * FILE_ENTRY_BYTES;
		const char *path_end = memchr(path, '\0', (size_t)(end - path));
		uint64_t pages = note_number(note, at + 16);
		if (!path_end) {
			notes->damaged_count += count - i;
			break;
		}
		if (pages > ADDRESS_MAX / unit)
			notes->damaged_count++;
		else
			notes->mapped[notes->mapped_count++] = (struct core_mapped){
				.start = note_number(note, at),
				.end = note_number(note, at + 8),
				.file_offset = pages * unit,
				.path = path,
			};
		path = path_end + 1;
	}
	return NULL;
}

static struct error *notes_take(struct core_notes *notes, const struct core_note *note)
{
	if (!core_note_is(note, "CORE"))
		return NULL;
	switch (note->type) {
	case NT_PRSTATUS:
		return notes_add_thread(notes, note);
	case NT_PRPSINFO:
		notes_take_process(notes, note);
		return NULL;
	case NT_AUXV:
		notes_take_auxiliary(notes, note);
		return NULL;
	case NT_FILE:
		return notes_take_files(notes, note);
	default:
		return NULL;
	}
}

static int compare_mapped(const void *left, const void *right)
{
	const struct core_mapped *a = left, *b = right;

	return a->start < b->start ? -1 : a->start > b->start;
}

static void notes_sort_files(struct core_notes *notes)
{
	size_t count = 0;
	addr_t last = 0;

	if (notes->mapped_count)
		qsort(notes->mapped, notes->mapped_count, sizeof(*notes->mapped), compare_mapped);
	for (size_t i = 0; i < notes->mapped_count; i++) {
		const struct core_mapped *mapped = &notes->mapped[i];
		if (mapped->start < last || mapped->end <= mapped->start ||
		    mapped->end > ADDRESS_MAX || mapped->start % CORE_PAGE_BYTES ||
		    mapped->end % CORE_PAGE_BYTES) {
			notes->damaged_count++;
			continue;
		}
		last = mapped->end;
		notes->mapped[count++] = *mapped;
	}
	notes->mapped_count = count;
}

struct error *core_notes_read(const struct core_bytes *core, const Elf64_Ehdr *header,
			      struct core_notes *ret)
{
	uint64_t count = core_elf_segment_count(core, header);
	unsigned left_count = NOTE_SEGMENTS_MAX;
	struct error *error = NULL;
	Elf64_Phdr segment;
	struct core_note note;

	for (uint64_t i = 0; !error && i < count && left_count; i++) {
		if (!core_elf_segment(core, header, i, &segment) || segment.p_type != PT_NOTE ||
		    segment.p_offset > core->count)
			continue;
		left_count--;
		uint64_t at = segment.p_offset, left = core->count - at;
		uint64_t end = at + (segment.p_filesz < left ? segment.p_filesz : left);
		while (!error && core_elf_note(core, &at, end, &note))
			error = notes_take(ret, &note);
	}
	notes_sort_files(ret);
	if (!ret->pid && ret->thread_count)
		ret->pid = ret->threads[0].tid;
	return error;
}
