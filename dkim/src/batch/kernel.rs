//! Arithmetic modulo eight numbers of 1024 bits at once, one in each lane of a vector register.
//!
//! A number is 20 digits of 52 bits, lowest first; the register of a digit holds that of all eight numbers. Products
//! follow Montgomery (1985) with R = 2^1040, a row of the product and a row of the reduction in turn. AVX-512 IFMA adds
//! the lower or the upper half of a product of digits to 64 bits, so that no carry is lost before the last row: no column
//! receives more than 80 summands under 2^52.
//!
//! Factors whose product is below R times the modulus give a result below two moduli; R is 2^16 times the greatest one, so
//! that results can be factors again, and nothing is ever compared or subtracted on the way.
//!
//! No address and no branch depends on a digit, and the instructions take the same time for all operands.
//!
//! The compiler's own allocation keeps digits of the factors in registers and moves the sums to memory and back, at twice
//! the time; hence assembler.

#![expect(unsafe_code, reason = "assembler: it reads and writes the memory of its arguments alone")]

use zeroize::Zeroize;

/// Digits of a number.
pub const DIGITS: usize = 20;
/// Numbers in a vector.
pub const LANES: usize = 8;
/// Entries of a table of powers: one for each value of a window of four bits.
pub const POWERS: usize = 16;

/// Eight numbers: of each digit, that of all eight.
#[derive(Clone, Zeroize)]
#[repr(C, align(64))]
pub struct Numbers(pub [[u64; LANES]; DIGITS]);

/// Eight moduli, and what their reduction needs. The assembler relies on the order.
#[derive(Zeroize)]
#[repr(C, align(64))]
pub struct Moduli {
    /// Odd numbers of 1024 bits.
    pub modulus: Numbers,
    /// The negative inverse of each lowest digit, modulo 2^52.
    pub inverse: [u64; LANES],
}

/// The powers of eight numbers, from the zeroth to the fifteenth.
#[derive(Zeroize)]
#[repr(C, align(64))]
pub struct Powers(pub [Numbers; POWERS]);

/// Which power is wanted for each number.
#[derive(Zeroize)]
#[repr(C, align(64))]
pub struct Exponents(pub [u64; LANES]);

impl Numbers {
    /// Eight times the same small number.
    pub fn small(value: u64) -> Numbers {
        let mut numbers = Numbers([[0; LANES]; DIGITS]);
        numbers.0[0] = [value; LANES];
        numbers
    }

    /// Puts a number into a lane.
    pub fn put(&mut self, lane: usize, digits: &[u64; DIGITS]) {
        for (row, digit) in self.0.iter_mut().zip(digits) {
            row[lane] = *digit;
        }
    }

    /// The number of a lane.
    pub fn lane(&self, lane: usize) -> [u64; DIGITS] {
        std::array::from_fn(|digit| self.0[digit][lane])
    }
}

/// The instructions are there: without one of these nothing of this module can be called.
#[derive(Clone, Copy)]
pub struct Kernel(());

/// Where squaring keeps its doubled factor.
type Doubled = [Numbers; 2];

impl Kernel {
    /// `None` on a machine without the instructions.
    pub fn detect() -> Option<Kernel> {
        let is_able =
            std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512ifma");
        is_able.then_some(Kernel(()))
    }

    /// `a · b / R` in each lane.
    pub fn multiply(self, a: &Numbers, b: &Numbers, moduli: &Moduli) -> Numbers {
        let mut product = a.clone();
        self.multiply_by(&mut product, b, moduli);
        product
    }

    /// `a · b / R` in each lane, in place of `a`.
    pub fn multiply_by(self, a: &mut Numbers, b: &Numbers, moduli: &Moduli) {
        let to: *mut Numbers = a;
        // SAFETY: the instructions are there. The assembler reads whole arguments and writes the whole product, whose
        // first digit is written when the factors have been read for the last time.
        unsafe { packetboat_dkim_multiply(to, to, b, moduli) }
    }

    /// `a · a / R` in each lane, in place. `doubled` is for passing use.
    pub fn square(self, a: &mut Numbers, doubled: &mut Doubled, moduli: &Moduli) {
        let to: *mut Numbers = a;
        // SAFETY: as above.
        unsafe { packetboat_dkim_square(to, to, doubled, moduli) }
    }

    /// Room for squaring.
    pub fn doubled() -> Doubled {
        [Numbers::small(0), Numbers::small(0)]
    }

    /// Writes the wanted power of each number. All powers are read.
    pub fn select(self, selected: &mut Numbers, powers: &Powers, wanted: &Exponents) {
        // SAFETY: as above.
        unsafe { packetboat_dkim_select(selected, powers, wanted) }
    }
}

unsafe extern "sysv64" {
    fn packetboat_dkim_multiply(product: *mut Numbers, a: *const Numbers, b: *const Numbers, moduli: *const Moduli);
    fn packetboat_dkim_square(square: *mut Numbers, a: *const Numbers, doubled: *mut Doubled, moduli: *const Moduli);
    fn packetboat_dkim_select(selected: *mut Numbers, powers: *const Powers, wanted: *const Exponents);
}

// Registers: zmm0 to zmm20 are the columns of the sum, of which each row finishes one; the numbers rotate instead of the
// contents (pd_row is the register of the lowest column). zmm21 to zmm24 hold the lowest digits of the moduli, zmm25 the
// negative inverse, zmm29 the multiple of the moduli, zmm30 the digit of the row, zmm28 a carry.
std::arch::global_asm!(
    r#"
    .pushsection .text.packetboat_dkim, "ax", @progbits
    .altmacro

    .macro pd_column column
        pd_register = pd_row + \column
        .if pd_register >= 21
            pd_register = pd_register - 21
        .endif
    .endm

    .macro pd_add_memory half, register, factor, base, digit
        vpmadd52\half\()uq zmm\register, zmm\factor, zmmword ptr [\base + 64 * \digit]
    .endm

    .macro pd_add_register half, register, factor, digit
        vpmadd52\half\()uq zmm\register, zmm\factor, zmm\digit
    .endm

    /* Adds halves of zmm30 times the digits from `from` on. */
    .macro pd_row_of_product half, shift, base, from
        pd_digit = \from
        .rept 20 - \from
            pd_column %(pd_digit + \shift)
            pd_add_memory \half, %pd_register, 30, \base, %pd_digit
            pd_digit = pd_digit + 1
        .endr
    .endm

    /* Adds halves of zmm29 times the moduli from the digit `from` on. */
    .macro pd_row_of_moduli half, shift, from
        pd_digit = \from
        .rept 20 - \from
            pd_column %(pd_digit + \shift)
            .if pd_digit < 4
                pd_add_register \half, %pd_register, 29, %(21 + pd_digit)
            .else
                pd_add_memory \half, %pd_register, 29, rcx, %pd_digit
            .endif
            pd_digit = pd_digit + 1
        .endr
    .endm

    .macro pd_clear register
        vpxorq zmm\register, zmm\register, zmm\register
    .endm

    .macro pd_begin
        pd_row = 0
        .rept 21
            pd_clear %pd_row
            pd_row = pd_row + 1
        .endr
        pd_row = 0
        vmovdqa64 zmm21, zmmword ptr [rcx]
        vmovdqa64 zmm22, zmmword ptr [rcx + 64]
        vmovdqa64 zmm23, zmmword ptr [rcx + 128]
        vmovdqa64 zmm24, zmmword ptr [rcx + 192]
        vmovdqa64 zmm25, zmmword ptr [rcx + 1280]
    .endm

    /* Which multiple of the moduli makes the lowest digit nothing. */
    .macro pd_multiple lowest
        vpxorq zmm29, zmm29, zmm29
        vpmadd52luq zmm29, zmm\lowest, zmm25
    .endm

    /* What is left of the finished column is the carry into the next; its register becomes the highest. */
    .macro pd_finish lowest
        vpsrlq zmm28, zmm\lowest, 52
        vpxorq zmm\lowest, zmm\lowest, zmm\lowest
    .endm

    .macro pd_carry register
        vpaddq zmm\register, zmm\register, zmm28
    .endm

    .macro pd_reduce
        pd_finish %pd_row
        pd_row_of_moduli l, 0, 1
        pd_column 1
        pd_carry %pd_register
        pd_row_of_moduli h, 1, 0
        pd_row = pd_row + 1
        .if pd_row == 21
            pd_row = 0
        .endif
    .endm

    .macro pd_mask register
        mov rax, 0xfffffffffffff
        vpbroadcastq zmm\register, rax
    .endm

    .macro pd_write register, digit
        vpsrlq zmm28, zmm\register, 52
        vpandq zmm\register, zmm\register, zmm30
        vmovdqa64 zmmword ptr [rdi + 64 * \digit], zmm\register
    .endm

    /* Carries from digit to digit, and writes them. */
    .macro pd_end
        pd_mask 30
        pd_digit = 0
        .rept 20
            pd_column %pd_digit
            .if pd_digit > 0
                pd_carry %pd_register
            .endif
            pd_write %pd_register, %pd_digit
            pd_digit = pd_digit + 1
        .endr
        vzeroupper
        ret
    .endm

    .macro pd_load digit
        vmovdqa64 zmm30, zmmword ptr [\digit]
    .endm

    /* rdi: product, rsi and rdx: factors, rcx: moduli */
    .p2align 6
    .globl packetboat_dkim_multiply
    .hidden packetboat_dkim_multiply
    .type packetboat_dkim_multiply, @function
packetboat_dkim_multiply:
    pd_begin
    .rept 20
        vmovdqa64 zmm30, zmmword ptr [rdx]
        add rdx, 64
        pd_add_memory l, %pd_row, 30, rsi, 0
        pd_multiple %pd_row
        pd_row_of_product l, 0, rsi, 1
        pd_add_register l, %pd_row, 29, 21
        pd_row_of_product h, 1, rsi, 0
        pd_reduce
    .endr
    pd_end
    .size packetboat_dkim_multiply, . - packetboat_dkim_multiply

    .macro pd_double digit
        vmovdqa64 zmm0, zmmword ptr [rsi + 64 * \digit]
        vpsllq zmm1, zmm0, 1
        vpandq zmm1, zmm1, zmm30
        vmovdqa64 zmmword ptr [rdx + 1280 + 64 * \digit], zmm1
        vporq zmm1, zmm1, zmm2
        vmovdqa64 zmmword ptr [rdx + 64 * \digit], zmm1
        vpsrlq zmm2, zmm0, 51
    .endm

    .macro pd_digit_of_row digit
        vmovdqa64 zmm30, zmmword ptr [rsi + 64 * \digit]
    .endm

    /* Adds halves of the products of the row's digit with itself and with all above it, those twice. The digit right
       above must not bring in the upper bit of the row's own. */
    .macro pd_row_of_square half, shift, row
        pd_column %(\row + \shift)
        pd_add_register \half, %pd_register, 30, 30
        .if \row < 19
            pd_column %(\row + 1 + \shift)
            pd_add_memory \half, %pd_register, 30, rdx + 1280, %(\row + 1)
        .endif
        .if \row < 18
            pd_row_of_product \half, \shift, rdx, %(\row + 2)
        .endif
    .endm

    /* rdi: square, rsi: factor, rdx: room for the factor doubled, with and without carries, rcx: moduli */
    .p2align 6
    .globl packetboat_dkim_square
    .hidden packetboat_dkim_square
    .type packetboat_dkim_square, @function
packetboat_dkim_square:
    pd_mask 30
    vpxorq zmm2, zmm2, zmm2
    pd_place = 0
    .rept 20
        pd_double %pd_place
        pd_place = pd_place + 1
    .endr
    pd_begin
    pd_place = 0
    .rept 20
        pd_digit_of_row %pd_place
        .if pd_place == 0
            pd_add_register l, 0, 30, 30
            pd_multiple 0
            pd_column 1
            pd_add_memory l, %pd_register, 30, rdx + 1280, 1
            pd_row_of_product l, 0, rdx, 2
        .else
            pd_multiple %pd_row
            pd_row_of_square l, 0, %pd_place
        .endif
        pd_add_register l, %pd_row, 29, 21
        pd_row_of_square h, 1, %pd_place
        pd_reduce
        pd_place = pd_place + 1
    .endr
    pd_end
    .size packetboat_dkim_square, . - packetboat_dkim_square

    .macro pd_take digit
        vmovdqa64 zmm\digit {{k1}}, zmmword ptr [rsi + 64 * \digit]
    .endm

    .macro pd_store digit
        vmovdqa64 zmmword ptr [rdi + 64 * \digit], zmm\digit
    .endm

    /* rdi: selected, rsi: powers, rdx: which */
    .p2align 6
    .globl packetboat_dkim_select
    .hidden packetboat_dkim_select
    .type packetboat_dkim_select, @function
packetboat_dkim_select:
    vmovdqa64 zmm30, zmmword ptr [rdx]
    vpxorq zmm29, zmm29, zmm29
    mov eax, 1
    vpbroadcastq zmm28, rax
    mov eax, 16
    pd_place = 0
    .rept 20
        pd_clear %pd_place
        pd_place = pd_place + 1
    .endr
2:
    vpcmpeqq k1, zmm29, zmm30
    pd_place = 0
    .rept 20
        pd_take %pd_place
        pd_place = pd_place + 1
    .endr
    vpaddq zmm29, zmm29, zmm28
    add rsi, 1280
    dec eax
    jnz 2b
    pd_place = 0
    .rept 20
        pd_store %pd_place
        pd_place = pd_place + 1
    .endr
    vzeroupper
    ret
    .size packetboat_dkim_select, . - packetboat_dkim_select

    .noaltmacro
    .popsection
    "#
);
