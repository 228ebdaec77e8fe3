/* Hand-written native reference of bench/reduce.ts: gcc -O3 -march=native. It uses what the WebAssembly kernel uses:
 * groups of 8 images, pieces that stay in the cache, whole darks for the histogram, two pixels counted at once.
 * Arguments: stack (u16), dark (f64), images, pixels. Reads the name of the work from stdin, answers {ms, check}. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GROUP = 8, TILE = 4096, BINS = 601, CELLS = BINS + 2, FROM = -100 };

static const uint16_t *stack;
static const double *dark;
static long images, pixels;

static double now(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return t.tv_sec * 1e3 + t.tv_nsec * 1e-6;
}

static void *load(const char *path, size_t bytes) {
  void *memory = malloc(bytes);
  FILE *file = fopen(path, "rb");
  if (memory == NULL || file == NULL || fread(memory, 1, bytes, file) != bytes) exit(1);
  fclose(file);
  return memory;
}

static void sums(const uint16_t *restrict x, uint32_t *restrict sum, long n) {
  for (long i = 0; i < n; i++) sum[i] += x[i];
}

static void moments(const uint16_t *restrict x, uint32_t *restrict sum, uint64_t *restrict square, long n) {
  for (long i = 0; i < n; i++) {
    uint32_t v = x[i];
    sum[i] += v;
    square[i] += v * v;
  }
}

static void count_pairs(const uint16_t *restrict x, const int32_t *restrict whole, uint32_t *restrict table, long n) {
  static uint32_t cell[TILE];
  for (long i = 0; i < n; i++) {
    int32_t bin = x[i] - whole[i] - FROM + 1;
    bin = bin < 0 ? 0 : bin;
    cell[i] = bin > CELLS - 1 ? CELLS - 1 : bin;
  }
  for (long i = 0; i < n; i += 4) {
    table[cell[i] * CELLS + cell[i + 1]]++;
    table[cell[i + 2] * CELLS + cell[i + 3]]++;
  }
}

static int mean_only(double *check) {
  double *mean = malloc(pixels * 8);
  uint32_t *sum = calloc(pixels, 4);
  for (long first = 0; first < images; first += GROUP)
    for (long p = 0; p < pixels; p += TILE)
      for (long k = first; k < first + GROUP && k < images; k++) sums(stack + k * pixels + p, sum + p, TILE);
  double total = 0;
  for (long i = 0; i < pixels; i++) total += mean[i] = (double)sum[i] / images - dark[i];
  check[0] = total;
  free(mean);
  free(sum);
  return 1;
}

static int everything(double *check) {
  uint32_t *sum = calloc(pixels, 4), *table = calloc(CELLS * CELLS, 4);
  uint64_t *square = calloc(pixels, 8);
  int32_t *whole = malloc(pixels * 4);
  double *mean = malloc(pixels * 8), *variance = malloc(pixels * 8);
  for (long i = 0; i < pixels; i++) whole[i] = (int32_t)ceil(dark[i] - 0.5);
  for (long first = 0; first < images; first += GROUP)
    for (long p = 0; p < pixels; p += TILE)
      for (long k = first; k < first + GROUP && k < images; k++) {
        moments(stack + k * pixels + p, sum + p, square + p, TILE);
        count_pairs(stack + k * pixels + p, whole + p, table, TILE);
      }
  double totals[2] = {0, 0}, counts[CELLS] = {0}, weighted = 0;
  for (long i = 0; i < pixels; i++) {
    double raw = (double)sum[i] / images;
    totals[0] += mean[i] = raw - dark[i];
    /* Around a whole number near the mean, so that little cancels. */
    int64_t pivot = llround(raw), rest = (int64_t)sum[i] - images * pivot;
    double about = (double)((int64_t)square[i] - pivot * ((int64_t)sum[i] + rest));
    totals[1] += variance[i] = (about - (double)rest * rest / images) / images;
  }
  for (int a = 0; a < CELLS; a++)
    for (int b = 0; b < CELLS; b++) {
      counts[a] += table[a * CELLS + b];
      counts[b] += table[a * CELLS + b];
    }
  for (int i = 0; i < BINS; i++) weighted += counts[i + 1] * i;
  check[0] = totals[0];
  check[1] = totals[1];
  check[2] = weighted;
  free(sum), free(table), free(square), free(whole), free(mean), free(variance);
  return 3;
}

static int bound(double *check) {
  const uint64_t *x = (const uint64_t *)stack;
  uint64_t total[8] = {0};
  for (long i = 0; i < images * pixels / 4; i += 8)
    for (int j = 0; j < 8; j++) total[j] += x[i + j];
  volatile uint64_t kept = 0;
  for (int j = 0; j < 8; j++) kept += total[j];
  (void)check;
  return 0;
}

int main(int argc, char **argv) {
  if (argc != 5) return 2;
  images = atol(argv[3]);
  pixels = atol(argv[4]);
  stack = load(argv[1], images * pixels * 2);
  dark = load(argv[2], pixels * 8);
  puts("ready");
  fflush(stdout);
  char work[32];
  while (scanf("%31s", work) == 1) {
    double check[3], start = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    int n = strcmp(work, "bound") == 0 ? bound(check) : strcmp(work, "mean") == 0 ? mean_only(check) : everything(check);
    printf("{\"ms\": %f, \"cpuMs\": %f, \"check\": [", now(CLOCK_MONOTONIC) - start, now(CLOCK_PROCESS_CPUTIME_ID) - cpu);
    for (int i = 0; i < n; i++) printf("%s%.17g", i ? ", " : "", check[i]);
    puts("]}");
    fflush(stdout);
  }
  return 0;
}
