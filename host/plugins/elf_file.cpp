// SPDX-License-Identifier: Apache-2.0
#include "plugins/elf_file.h"

#include <belfry/plugin.h>
#include <elf.h>
#include <link.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <optional>

#include "plugins/refusal.h"

namespace belfry::plugins {

namespace {

static_assert(sizeof(void*) == 8, "the host is built for 64-bit machines only");

#if defined(__x86_64__)
constexpr uint16_t kMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kMachine = EM_AARCH64;
#else
#error "name this machine's e_machine here"
#endif

constexpr size_t kProgramHeadersMax = 256;
constexpr size_t kDynamicEntriesMax = 4096;
constexpr size_t kSymbolsMax = 1u << 20;
constexpr size_t kNamesShown = 3;
constexpr std::string_view kEntryFamily = "belfry_plugin_main";
// What linkers define in any shared object.
constexpr std::string_view kLinkerSymbols[] = {"_init",       "_fini", "_end",   "_edata",
                                               "__bss_start", "_fbss", "_ftext", "_GLOBAL_OFFSET_TABLE_"};

const char* name_of_machine(uint16_t machine) noexcept {
    switch (machine) {
        case EM_X86_64:
            return "x86-64";
        case EM_AARCH64:
            return "aarch64";
        case EM_386:
            return "i386";
        case EM_ARM:
            return "arm";
        case EM_RISCV:
            return "riscv";
        case EM_PPC64:
            return "ppc64";
        case EM_S390:
            return "s390";
        default:
            return "another architecture";
    }
}

// The file while it is read. Throws nothing; `complain` keeps the first finding.
class ElfReader {
public:
    ElfReader(std::span<const std::byte> bytes, const std::string& file) : bytes_(bytes), file_(file) {}

    Result<ElfFacts> read() {
        if (header() && segments() && dynamic()) exports();
        if (finding_) return *finding_;
        return facts_;
    }

private:
    bool complain(std::string_view reason, std::string_view remedy) {
        if (!finding_) finding_ = refusal(file_, reason, remedy);
        return false;
    }
    bool damaged(std::string_view what) {
        return complain("the file is damaged: " + std::string(what) + " lies outside of it", "copy or build it again");
    }

    // A copy of the T at `offset`; the file's alignment is nobody's promise.
    template <class T>
    std::optional<T> at(uint64_t offset) const noexcept {
        if (offset > bytes_.size() || bytes_.size() - offset < sizeof(T)) return std::nullopt;
        T value;
        std::memcpy(&value, bytes_.data() + offset, sizeof value);
        return value;
    }
    // Where an address of the loaded image is in the file.
    std::optional<uint64_t> offset_of(uint64_t address) const noexcept {
        for (const Elf64_Phdr& load : loads_) {
            if (address >= load.p_vaddr && address - load.p_vaddr < load.p_filesz)
                return load.p_offset + (address - load.p_vaddr);
        }
        return std::nullopt;
    }
    std::string_view name_at(uint64_t index) const noexcept {
        if (!strings_ || index >= strings_size_ || *strings_ > bytes_.size()) return {};
        const uint64_t room = std::min<uint64_t>(strings_size_ - index,
                                                 bytes_.size() - std::min<uint64_t>(bytes_.size(), *strings_ + index));
        const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + *strings_ + index, room);
        const size_t end = rest.find('\0');
        return end == std::string_view::npos ? std::string_view{} : rest.substr(0, end);
    }

    bool header() {
        const auto ident = at<std::array<unsigned char, EI_NIDENT>>(0);
        if (!ident || std::memcmp(ident->data(), ELFMAG, SELFMAG) != 0)
            return complain("not an ELF file", "a plugin is a shared object (.so) for this machine");
        if ((*ident)[EI_CLASS] != ELFCLASS64) return complain("built for 32-bit machines", "build it for this one");
        if ((*ident)[EI_DATA] != ELFDATA2LSB) return complain("built for big-endian machines", "build it for this one");
        const auto header = at<Elf64_Ehdr>(0);
        if (!header) return damaged("its header");
        header_ = *header;
        if (header_.e_machine != kMachine) {
            return complain(std::string("built for ") + name_of_machine(header_.e_machine) + ", this host runs on " +
                                name_of_machine(kMachine),
                            "install the plugin's build for this architecture");
        }
        if (header_.e_type != ET_DYN) return complain("not a shared object", "link it with -shared");
        return true;
    }

    bool segments() {
        if (header_.e_phnum > kProgramHeadersMax || header_.e_phentsize != sizeof(Elf64_Phdr))
            return damaged("its program header");
        bool stack_known = false;
        for (uint64_t i = 0; i < header_.e_phnum; ++i) {
            const auto segment = at<Elf64_Phdr>(header_.e_phoff + i * sizeof(Elf64_Phdr));
            if (!segment) return damaged("its program header");
            if (segment->p_type == PT_INTERP)
                return complain("an executable, not a shared object", "link it with -shared");
            if (segment->p_type == PT_LOAD) {
                if (segment->p_offset > bytes_.size() || segment->p_filesz > bytes_.size() - segment->p_offset)
                    return damaged("a segment");
                loads_.push_back(*segment);
            }
            if (segment->p_type == PT_DYNAMIC) dynamic_ = *segment;
            if (segment->p_type == PT_GNU_STACK) {
                stack_known = true;
                executable_stack_ = (segment->p_flags & PF_X) != 0;
            }
        }
        if (!stack_known || executable_stack_)
            return complain("wants an executable stack",
                            "link it with -Wl,-z,noexecstack; assembler files need a .note.GNU-stack section");
        if (!dynamic_) return complain("has no dynamic section", "link it with -shared");
        return true;
    }

    bool dynamic() {
        std::vector<uint64_t> needed, paths;
        uint64_t soname = 0;
        const uint64_t n = std::min<uint64_t>(dynamic_->p_filesz / sizeof(Elf64_Dyn), kDynamicEntriesMax);
        for (uint64_t i = 0; i < n; ++i) {
            const auto entry = at<Elf64_Dyn>(dynamic_->p_offset + i * sizeof(Elf64_Dyn));
            if (!entry) return damaged("its dynamic section");
            if (entry->d_tag == DT_NULL) break;
            switch (entry->d_tag) {
                case DT_STRTAB:
                    strings_ = offset_of(entry->d_un.d_ptr);
                    break;
                case DT_STRSZ:
                    strings_size_ = entry->d_un.d_val;
                    break;
                case DT_SYMTAB:
                    symbols_ = offset_of(entry->d_un.d_ptr);
                    break;
                case DT_HASH:
                    hash_ = offset_of(entry->d_un.d_ptr);
                    break;
                case DT_GNU_HASH:
                    gnu_hash_ = offset_of(entry->d_un.d_ptr);
                    break;
                case DT_NEEDED:
                    needed.push_back(entry->d_un.d_val);
                    break;
                case DT_SONAME:
                    soname = entry->d_un.d_val;
                    break;
                case DT_RPATH:
                case DT_RUNPATH:
                    paths.push_back(entry->d_un.d_val);
                    break;
                case DT_TEXTREL:
                    text_relocations_ = true;
                    break;
                case DT_FLAGS:
                    text_relocations_ = text_relocations_ || (entry->d_un.d_val & DF_TEXTREL) != 0;
                    break;
                default:
                    break;
            }
        }
        if (text_relocations_)
            return complain("has text relocations: its code would have to be writable",
                            "compile every part with -fPIC");
        if (!strings_ || !symbols_) return damaged("its symbol table");
        for (const uint64_t name : needed) facts_.needed.emplace_back(name_at(name));
        if (soname != 0) facts_.soname = name_at(soname);
        return runpaths(paths);
    }

    bool runpaths(const std::vector<uint64_t>& paths) {
        for (const uint64_t name : paths) {
            std::string_view rest = name_at(name);
            while (true) {
                const size_t colon = rest.find(':');
                const std::string_view entry = rest.substr(0, colon);
                if (entry.empty() || entry.front() != '/') {
                    return complain("its RUNPATH entry \"" + std::string(entry) + "\" is not absolute",
                                    "plugins are loaded from a private copy: link such libraries statically");
                }
                facts_.runpath.emplace_back(entry);
                if (colon == std::string_view::npos) break;
                rest.remove_prefix(colon + 1);
            }
        }
        return true;
    }

    // How many dynamic symbols there are: no entry says so, but the hash tables do.
    std::optional<uint64_t> symbol_count() const noexcept {
        if (hash_) {
            const auto chains = at<uint32_t>(*hash_ + 4);
            return chains ? std::optional<uint64_t>(*chains) : std::nullopt;
        }
        if (!gnu_hash_) return std::nullopt;
        const auto buckets = at<uint32_t>(*gnu_hash_), first = at<uint32_t>(*gnu_hash_ + 4),
                   bloom = at<uint32_t>(*gnu_hash_ + 8);
        if (!buckets || !first || !bloom || *buckets > kSymbolsMax || *bloom > kSymbolsMax) return std::nullopt;
        const uint64_t bucket_at = *gnu_hash_ + 16 + uint64_t{*bloom} * 8,
                       chain_at = bucket_at + uint64_t{*buckets} * 4;
        uint64_t last = 0;
        for (uint64_t i = 0; i < *buckets; ++i) {
            const auto bucket = at<uint32_t>(bucket_at + i * 4);
            if (!bucket) return std::nullopt;
            last = std::max<uint64_t>(last, *bucket);
        }
        if (last < *first) return *first;  // nothing is defined
        for (; last < kSymbolsMax; ++last) {
            const auto chain = at<uint32_t>(chain_at + (last - *first) * 4);
            if (!chain) return std::nullopt;
            if ((*chain & 1u) != 0) return last + 1;
        }
        return std::nullopt;
    }

    bool exports() {
        const auto count = symbol_count();
        if (!count || *count > kSymbolsMax) return damaged("its symbol hash table");
        std::vector<std::string> others;
        std::string relative;
        bool entry = false;
        for (uint64_t i = 1; i < *count; ++i) {
            const auto symbol = at<Elf64_Sym>(*symbols_ + i * sizeof(Elf64_Sym));
            if (!symbol) return damaged("its symbol table");
            if (!is_exported(*symbol)) continue;
            const std::string_view name = name_at(symbol->st_name);
            if (name == BELFRY_ENTRY_SYMBOL)
                entry = true;
            else if (name.substr(0, kEntryFamily.size()) == kEntryFamily)
                relative = name;
            else if (std::find(std::begin(kLinkerSymbols), std::end(kLinkerSymbols), name) == std::end(kLinkerSymbols))
                others.emplace_back(name);
        }
        if (!entry && !relative.empty()) {
            return complain("offers only " + relative + ", this host looks for " BELFRY_ENTRY_SYMBOL,
                            "install the plugin's build for this version of Belfry");
        }
        if (!entry)
            return complain("does not export " BELFRY_ENTRY_SYMBOL,
                            "define it with BELFRY_EXPORT; names found in linked libraries do not count");
        return others.empty() || too_many(others);
    }

    bool too_many(const std::vector<std::string>& others) {
        std::string names;
        for (size_t i = 0; i < others.size() && i < kNamesShown; ++i) names += (i == 0 ? "" : ", ") + others[i];
        if (others.size() > kNamesShown) names += ", ...";
        return complain("exports " + std::to_string(others.size()) + (others.size() == 1 ? " symbol" : " symbols") +
                            " beside its entry (" + names + ")",
                        "link it with belfry_add_plugin, or -fvisibility=hidden and a version script");
    }

    static bool is_exported(const Elf64_Sym& symbol) noexcept {
        const unsigned bind = ELF64_ST_BIND(symbol.st_info), visibility = ELF64_ST_VISIBILITY(symbol.st_other);
        if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx == SHN_ABS) return false;  // absolute: names of versions
        if (bind != STB_GLOBAL && bind != STB_WEAK && bind != STB_GNU_UNIQUE) return false;
        return visibility == STV_DEFAULT || visibility == STV_PROTECTED;
    }

    const std::span<const std::byte> bytes_;
    const std::string& file_;
    std::optional<Error> finding_;
    ElfFacts facts_;
    Elf64_Ehdr header_{};
    std::vector<Elf64_Phdr> loads_;
    std::optional<Elf64_Phdr> dynamic_;
    bool executable_stack_ = false, text_relocations_ = false;
    std::optional<uint64_t> strings_, symbols_, hash_, gnu_hash_;
    uint64_t strings_size_ = 0;
};

}  // namespace

Result<ElfFacts> read_elf(std::span<const std::byte> bytes, const std::string& file) {
    return ElfReader(bytes, file).read();
}

std::string_view library_stem(std::string_view soname) noexcept {
    std::string_view stem = soname.substr(0, soname.find(".so"));
    const size_t dash = stem.rfind('-');
    // Bundling tools append a hash of at least eight digits.
    if (dash != std::string_view::npos && stem.size() - dash > 8 &&
        stem.substr(dash + 1).find_first_not_of("0123456789abcdef") == std::string_view::npos)
        stem = stem.substr(0, dash);
    return stem;
}

Status check_needed(const ElfFacts& facts, std::span<const std::string> present, const std::string& file) {
    for (const std::string& wanted : facts.needed) {
        if (std::find(present.begin(), present.end(), wanted) != present.end()) continue;
        for (const std::string& ours : present) {
            if (library_stem(ours) != library_stem(wanted)) continue;
            return refusal(
                file, "needs " + wanted + ", but this host uses " + ours + ": two versions in one process would mix",
                "build the plugin against " + ours + ", link the library statically, or use the host's services");
        }
    }
    return {};
}

std::vector<std::string> loaded_libraries() {
    std::vector<std::string> names;
    dl_iterate_phdr(
        [](dl_phdr_info* info, size_t, void* out) {
            const std::string_view path = info->dlpi_name == nullptr ? std::string_view{} : info->dlpi_name;
            const std::string_view name = path.substr(path.rfind('/') + 1);
            if (name.find(".so") != std::string_view::npos)
                static_cast<std::vector<std::string>*>(out)->emplace_back(name);
            return 0;
        },
        &names);
    return names;
}

}  // namespace belfry::plugins
