/* brotli-demo: packs and unpacks one file with the Brotli library. */

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <brotli/decode.h>
#include <brotli/encode.h>

enum { QUALITY = 9, CHUNK = 1 << 16 };

static void die(const char *format, ...) {
  va_list args;
  va_start(args, format);
  fputs("brotli-demo: ", stderr);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
  va_end(args);
  exit(1);
}

static FILE *open_file(const char *path, const char *mode) {
  FILE *file = fopen(path, mode);
  if (!file) die("%s: %s", path, strerror(errno));
  return file;
}

/* Writes what the coder has put into `buffer`, up to `end`. */
static void flush(FILE *out, const char *path, const uint8_t *buffer, const uint8_t *end) {
  size_t size = (size_t)(end - buffer);
  if (fwrite(buffer, 1, size, out) != size) die("%s: %s", path, strerror(errno));
}

static void compress(FILE *in, const char *in_path, FILE *out, const char *out_path) {
  static uint8_t input[CHUNK], output[CHUNK];
  BrotliEncoderState *coder = BrotliEncoderCreateInstance(NULL, NULL, NULL);
  if (!coder) die("out of memory");
  BrotliEncoderSetParameter(coder, BROTLI_PARAM_QUALITY, QUALITY);

  while (!BrotliEncoderIsFinished(coder)) {
    size_t in_left = fread(input, 1, CHUNK, in);
    const uint8_t *next_in = input;
    if (ferror(in)) die("%s: %s", in_path, strerror(errno));
    BrotliEncoderOperation operation = feof(in) ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_PROCESS;
    do {
      size_t out_left = CHUNK;
      uint8_t *next_out = output;
      if (!BrotliEncoderCompressStream(coder, operation, &in_left, &next_in, &out_left, &next_out,
                                       NULL)) {
        die("%s: cannot be compressed", in_path);
      }
      flush(out, out_path, output, next_out);
    } while (in_left > 0 || BrotliEncoderHasMoreOutput(coder));
  }
  BrotliEncoderDestroyInstance(coder);
}

static void decompress(FILE *in, const char *in_path, FILE *out, const char *out_path) {
  static uint8_t input[CHUNK], output[CHUNK];
  BrotliDecoderState *coder = BrotliDecoderCreateInstance(NULL, NULL, NULL);
  if (!coder) die("out of memory");

  BrotliDecoderResult result = BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT;
  while (result != BROTLI_DECODER_RESULT_SUCCESS) {
    size_t in_left = fread(input, 1, CHUNK, in);
    const uint8_t *next_in = input;
    if (ferror(in)) die("%s: %s", in_path, strerror(errno));
    if (in_left == 0) die("%s: ends too early", in_path);
    do {
      size_t out_left = CHUNK;
      uint8_t *next_out = output;
      result = BrotliDecoderDecompressStream(coder, &in_left, &next_in, &out_left, &next_out, NULL);
      flush(out, out_path, output, next_out);
    } while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT);
    if (result == BROTLI_DECODER_RESULT_ERROR) {
      die("%s: not a Brotli file (%s)", in_path,
          BrotliDecoderErrorString(BrotliDecoderGetErrorCode(coder)));
    }
    if (result == BROTLI_DECODER_RESULT_SUCCESS && (in_left > 0 || fgetc(in) != EOF)) {
      die("%s: goes on after its end", in_path);
    }
  }
  BrotliDecoderDestroyInstance(coder);
}

int main(int argc, char **argv) {
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    uint32_t version = BrotliEncoderVersion();
    printf("brotli-demo, Brotli %u.%u.%u\n", version >> 24, version >> 12 & 0xfff, version & 0xfff);
    return 0;
  }
  int packing = argc == 4 && strcmp(argv[1], "compress") == 0;
  int unpacking = argc == 4 && strcmp(argv[1], "decompress") == 0;
  if (!packing && !unpacking) {
    fputs("usage: brotli-demo compress|decompress IN OUT\n", stderr);
    return 2;
  }

  FILE *in = open_file(argv[2], "rb");
  FILE *out = open_file(argv[3], "wb");
  (packing ? compress : decompress)(in, argv[2], out, argv[3]);
  fclose(in);
  if (fclose(out) != 0) die("%s: %s", argv[3], strerror(errno));
  return 0;
}
