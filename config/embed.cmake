# SPDX-License-Identifier: Apache-2.0
# Writes OUT, a C file that defines SYMBOL, a table of struct asset with the bytes of FILES (names
# relative to ROOT, separated by "|"). Run by kanal_embed(); needs nothing but CMake itself.
string(REPLACE "|" ";" files "${FILES}")
set(arrays "")
set(entries "")
set(n 0)
foreach(file IN LISTS files)
    file(READ "${ROOT}/${file}" hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(REGEX REPLACE "((0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,))" "\\1\n" bytes "${bytes}")
    file(SHA256 "${ROOT}/${file}" hash)
    string(SUBSTRING "${hash}" 0 16 hash)
    string(APPEND arrays "static const unsigned char bytes_${n}[] = {${bytes}0};\n")
    string(APPEND entries "    {\"${file}\", bytes_${n}, sizeof bytes_${n} - 1, \"${hash}\"},\n")
    math(EXPR n "${n} + 1")
endforeach()
file(WRITE "${OUT}" "#include \"config/asset.h\"\n\n${arrays}\nconst struct asset ${SYMBOL}[] = {\n${entries}    {0},\n};\n")
