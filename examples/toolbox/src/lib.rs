/// How many elements a shape has.
pub fn size(rows: usize, columns: usize) -> usize {
    rows * columns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_has_its_size() {
        assert_eq!(size(3, 4), 12);
    }
}
