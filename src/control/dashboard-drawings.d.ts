// The drawings of the dashboard, imported as text.
declare const text: string;
export default text;
