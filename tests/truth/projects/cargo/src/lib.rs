/// ```
/// assert_eq!(1, 1);
/// ```
pub fn documented() {}

#[cfg(test)]
mod tests {
    #[test]
    fn prints_steps() {
        println!("[5/10] Building CXX object fake.o");
    }
    #[test]
    fn fails() {
        assert_eq!(1, 2, "no Timeout");
    }
    #[test]
    #[ignore]
    fn is_ignored() {}
    #[test]
    #[should_panic]
    fn panics() {
        panic!("as it should")
    }
}
